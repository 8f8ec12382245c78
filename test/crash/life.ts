/**
 * One life: starts the child, kills it at its moment, and says what it had promised by then.
 * Owns: the process. Does not own: the directory, the judgement.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { ChildPlan } from './child.ts'

export interface Death {
  /** Kill this many ms after the start, or after the first acknowledgement. */
  readonly afterMs?: number
  readonly from?: 'start' | 'acknowledgement'
  /** `name:count`: kill inside the engine when this point is reached for the count-th time. */
  readonly failpoint?: string
}

export interface Life {
  /** What the child restored, once it had. */
  readonly opened: { readonly epoch: number; readonly counter: number; readonly digest: string } | undefined
  readonly issued: number
  readonly ackedEpoch: number
  /** Everything up to this operation was acknowledged. */
  readonly ackedCounter: number
  readonly acks: number
  /** Operations before each barrier. */
  readonly barriers: ReadonlyMap<number, number>
  readonly events: readonly string[]
  /** 'killed' by this, at its 'failpoint', 'closed' by itself, or 'crashed': also where somebody else killed it, as for want of memory. */
  readonly end: 'killed' | 'failpoint' | 'closed' | 'crashed'
  /** What it was killed for: it did not do in time what every life has to. A failpoint need not be reached. */
  readonly overdue: string | undefined
  readonly output: string
}

const CHILD = join(import.meta.dirname, 'child.js')
/** Even a very busy machine starts a process and opens the store by then. */
const OPEN_MS_MAX = 40_000
/** The same from the opening to the first acknowledgement. */
const ACK_MS_MAX = 25_000
/** A failpoint that is not reached so long after the opening is not reached at all. */
const FAILPOINT_MS_MAX = 22_000

/** They end with this process, before others remove what they write to. */
const underWay = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of underWay) child.kill('SIGKILL')
})

export async function liveOnce(plan: ChildPlan, death: Death, ackMsMax = ACK_MS_MAX): Promise<Life> {
  const env = { ...process.env, ...(death.failpoint === undefined ? {} : { TIDEMARK_FAILPOINT: `${death.failpoint}:alarm` }) }
  const child = spawn(process.execPath, [CHILD, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env,
  })
  underWay.add(child)
  const report = new Report()
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4000)))
  let killed = false
  const kill = (): void => {
    killed = true
    child.kill('SIGKILL')
  }
  let overdue: string | undefined
  const within = (ms: number, what: string): NodeJS.Timeout =>
    setTimeout(() => {
      overdue = `no ${what} in ${ms / 1000} s`
      kill()
    }, ms)
  let last = within(OPEN_MS_MAX, 'opening')
  const opened = (): void => {
    clearTimeout(last)
    last = death.failpoint === undefined ? within(ackMsMax, 'acknowledgement') : setTimeout(failpointMissed, FAILPOINT_MS_MAX)
  }
  const failpointMissed = (): void => {
    if (report.acks === 0) overdue = `no acknowledgement in ${FAILPOINT_MS_MAX / 1000} s`
    else if (plan.closeAfterMs !== undefined) overdue = `no end of a close in ${FAILPOINT_MS_MAX / 1000} s`
    kill()
  }
  let moment: NodeJS.Timeout | undefined
  const arm = (): void => {
    if (moment === undefined && death.afterMs !== undefined) moment = setTimeout(kill, death.afterMs)
  }
  if (death.from !== 'acknowledgement') arm()
  ;(child.stdio[3] as NodeJS.ReadableStream).on('data', (chunk: Buffer) => {
    const before = report.opened
    report.take(chunk)
    if (before === undefined && report.opened !== undefined) opened()
    if (report.acks > 0) arm()
  })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(resolve => child.on('close', (...end) => resolve(end)))
  underWay.delete(child)
  clearTimeout(last)
  clearTimeout(moment)
  const atFailpoint = signal === 'SIGALRM' && death.failpoint !== undefined
  const end = atFailpoint ? 'failpoint' : signal === 'SIGKILL' && killed ? 'killed' : code === 0 ? 'closed' : 'crashed'
  if (end === 'crashed') output = `${signal ?? `exit status ${code}`}: ${output}`
  return { ...report.life(), end, overdue: end === 'killed' ? overdue : undefined, output }
}

/** Reads the child's lines; what is cut off by the kill was not said. */
class Report {
  acks = 0
  #rest = ''
  opened: Life['opened']
  #issued = 0
  #ackedEpoch = 0
  #ackedCounter = 0
  readonly #barriers = new Map<number, number>()
  readonly #events: string[] = []

  take(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines) this.#line(line)
  }

  life() {
    return {
      opened: this.opened,
      issued: this.#issued,
      ackedEpoch: this.#ackedEpoch,
      ackedCounter: this.#ackedCounter,
      acks: this.acks,
      barriers: this.#barriers,
      events: this.#events,
    }
  }

  #line(line: string): void {
    const [word, first = '', second = '', third = ''] = line.split(' ')
    const number = Number(first)
    if (word === 'issue') this.#issued = number
    else if (word === 'barrier') this.#barriers.set(number, Number(second))
    else if (word === 'durable') this.#ackedCounter = Math.max(this.#ackedCounter, number)
    else if (word === 'ack') {
      this.acks++
      this.#ackedEpoch = Math.max(this.#ackedEpoch, number)
      this.#ackedCounter = Math.max(this.#ackedCounter, this.#barriers.get(number) ?? 0)
    } else if (word === 'open') {
      this.opened = { epoch: number, counter: Number(second), digest: third }
      this.#issued = Number(second)
    } else this.#events.push(line)
  }
}
