/** The other end of service.ts: starts it, sends commands, keeps what it said. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { CheckpointPoint } from 'tidemark'
import type { Command, Failure } from './service.ts'

export type Said = {
  readonly event: string
  readonly message?: string
  readonly counter?: number
  readonly epoch?: number
} & Partial<Failure>
type Reply = { readonly answer?: unknown; readonly failed?: Failure }

/** Nothing here takes this long; a test that waits longer fails. */
const WAIT_MS_MAX = 45_000
/** Looks in a row at which a traced process stands still: then it was stopped. */
const TRACED_LOOKS = 40

export class Remote {
  readonly process: ChildProcess
  readonly events: Said[] = []
  /** Everything is killed when the test ends. */
  readonly ended: Promise<string>
  #waiting: ((reply: Reply) => void)[] = []
  #errors = ''

  /** `wrapper`: a program and its arguments, to which the service's own command line is added. */
  constructor(t: TestContext, wrapper: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const [program, ...args] = [...wrapper, process.execPath, join(import.meta.dirname, 'service.js')]
    this.process = spawn(program as string, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }, detached: true })
    // A program that is not there ends like a service that ended, with a reason.
    this.process.on('error', error => (this.#errors += String(error)))
    // A service that was killed takes no more commands: its end says so.
    this.process.stdin?.on('error', () => {})
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', line => {
      const said = JSON.parse(line) as Reply & Said
      if (said.event !== undefined) this.events.push(said)
      else this.#waiting.shift()?.(said)
    })
    this.ended = new Promise(resolve => this.process.on('close', (code, signal) => resolve(signal ?? String(code))))
    void this.ended.then(end => {
      for (const waiting of this.#waiting) {
        waiting({
          failed: {
            code: 'ENDED',
            message: `the service ended (${end}): ${this.#errors}`,
            hint: undefined,
            info: undefined,
            cause: undefined,
          },
        })
      }
    })
    t.after(() => this.kill())
  }

  get pid(): number {
    return this.process.pid as number
  }

  /** What became of a command, whichever way it went. */
  attempt(command: Command): Promise<Reply> {
    return this.#send(command)
  }

  /** Waits until the process has stopped itself. One that is traced shows the same sign for a moment at each call that is looked at. */
  async stopped(): Promise<void> {
    let traced = 0
    for (let waited = 0; ; waited += 5) {
      const state = /\) (\S)/.exec(readFileSync(`/proc/${this.pid}/stat`, 'utf8'))?.[1]
      traced = state === 't' ? traced + 1 : 0
      if (state === 'T' || traced > TRACED_LOOKS) return
      assert.ok(waited < WAIT_MS_MAX, `it did not stop: ${this.#errors}`)
      await setTimeout(5)
    }
  }

  async call(command: Command): Promise<unknown> {
    const { answer, failed } = await this.#send(command)
    assert.equal(failed, undefined, `${command.op} failed: ${JSON.stringify(failed)}`)
    return answer
  }

  async checkpoint(): Promise<CheckpointPoint> {
    return (await this.call({ op: 'checkpoint' })) as CheckpointPoint
  }

  async fails(command: Command): Promise<Failure> {
    const { answer, failed } = await this.#send(command)
    assert.ok(failed !== undefined, `${command.op} should have failed, but gave ${JSON.stringify(answer)}`)
    return failed
  }

  async entries(): Promise<Map<string, unknown>> {
    return new Map((await this.call({ op: 'entries' })) as [string, unknown][])
  }

  async stats(): Promise<{ status: string; epoch: number; failures: number; degradedBy?: string }> {
    return (await this.call({ op: 'stats' })) as { status: string; epoch: number; failures: number; degradedBy?: string }
  }

  /** Waits until the service has reported `count` of these events. */
  async event(name: string, count = 1): Promise<Said> {
    for (let waited = 0; ; waited += 10) {
      const found = this.events.filter(({ event }) => event === name)[count - 1]
      if (found !== undefined) return found
      assert.ok(waited < WAIT_MS_MAX, `no event '${name}': ${JSON.stringify(this.events.slice(-20))} ${this.#errors}`)
      await setTimeout(10)
    }
  }

  /** The service and whatever it runs under; a no-op when it is gone. */
  async kill(): Promise<void> {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
    await this.ended
  }

  /** Ends as a service does that is told to stop. */
  async leave(): Promise<void> {
    this.process.stdin?.end()
    assert.equal(await this.ended, '0', this.#errors)
  }

  #send(command: Command): Promise<Reply> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.process.stdin?.write(`${JSON.stringify(command)}\n`)
    })
  }
}
