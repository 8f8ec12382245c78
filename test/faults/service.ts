/**
 * A small service in a process of its own, told what to do by lines on its standard input: one JSON command, one JSON answer.
 * Everything that happens to its store is reported as it happens.
 */
import { createInterface } from 'node:readline'
import type { Settings, Store } from 'tidemark'
import { openFailing } from '../crash/open-failing.ts'

export type Command =
  | { readonly op: 'open'; readonly directory: string; readonly settings?: Settings }
  | { readonly op: 'set'; readonly key: string; readonly value: unknown }
  | { readonly op: 'fill'; readonly from: number; readonly count: number; readonly characters: number }
  | { readonly op: 'entries' }
  | { readonly op: 'checkpoint'; readonly timeoutMs?: number }
  | { readonly op: 'durable'; readonly timeoutMs?: number }
  | { readonly op: 'stats' }
  | { readonly op: 'work'; readonly everyMs: number }
  | { readonly op: 'close'; readonly timeoutMs?: number }

export interface Failure {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly info: Readonly<Record<string, unknown>> | undefined
  readonly cause: Failure | undefined
}

let opened: Store | undefined
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

function store(): Store {
  if (opened === undefined) throw new Error('no store is open')
  return opened
}

function describe(error: unknown): Failure {
  const { code, message, hint, info, cause } = error as Failure
  return { code, message, hint, info, cause: cause === undefined ? undefined : describe(cause) }
}

/** Text that does not compress. */
function noise(seed: number, characters: number): string {
  let state = seed + 1
  let text = ''
  while (text.length < characters) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    text += String.fromCharCode(33 + ((state >>> 8) % 93))
  }
  return text
}

async function run(command: Command): Promise<unknown> {
  const timeout = 'timeoutMs' in command && command.timeoutMs !== undefined ? { timeoutMs: command.timeoutMs } : {}
  switch (command.op) {
    case 'open': {
      const found = await openFailing(command.directory, command.settings)
      opened = found
      for (const name of ['degraded', 'error'] as const) found.on(name, error => say({ event: name, ...describe(error) }))
      found.on('recovered', () => say({ event: 'recovered' }))
      found.on('checkpoint', ({ epoch }) => say({ event: 'checkpoint', epoch }))
      return { epoch: found.restored.epoch }
    }
    case 'set':
      store().map<unknown>('map').set(command.key, command.value)
      return true
    case 'fill':
      for (let at = 0; at < command.count; at++)
        store()
          .map<unknown>('map')
          .set(`fill ${command.from + at}`, noise(at, command.characters))
      return store().map('map').size
    case 'entries':
      return [...store().map<unknown>('map')].map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, 20) : value])
    case 'checkpoint':
      return await store().checkpoint(timeout)
    case 'durable':
      return (await store().durable(timeout)) ?? true
    case 'stats': {
      const { status, epoch, failures, degradedBy } = store().stats()
      return { status, epoch, failures, degradedBy }
    }
    case 'work': {
      const work = store().map<number>('work')
      let counter = work.get('counter') ?? 0
      store().on('barrier', ({ epoch }) => void epochs.set(epoch, counter))
      const epochs = new Map<number, number>()
      store().on('checkpoint', ({ epoch }) => say({ event: 'acknowledged', counter: epochs.get(epoch) }))
      setInterval(() => {
        for (let at = 0; at < 5; at++) {
          counter++
          store().transaction(() => {
            work.set('counter', counter)
            work.set(`n ${counter % 50}`, counter)
          })
        }
      }, command.everyMs)
      return counter
    }
    case 'close':
      return (await store().close(timeout)) ?? true
  }
}

say({ event: 'ready' })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ answer: await run(JSON.parse(line) as Command) })
  } catch (error) {
    say({ failed: describe(error) })
  }
}
process.exit(0)
