/** One life of a service: from the start of its process to its end, and what it says in between. */
import { type ChildProcess, spawn } from 'node:child_process'
import { get } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { DriverMessage, EngineFigures, ServiceMessage, ServiceSettings } from '../messages.ts'

/** Of the busiest airport. */
const FIRST_PATH = '/airports/ATL'
const SERVICE = fileURLToPath(new URL('../service/main.js', import.meta.url))

export interface FirstAnswer {
  readonly port: number
  /** Where the service goes on. */
  readonly position: number
  readonly openMs: number
  /** From the start of the process to the first answer to a request. */
  readonly sinceSpawnMs: number
  /** From the moment it listens to the first answer. */
  readonly sinceListeningMs: number
  /** See the message 'answered'. */
  readonly readBytes: number | null
  readonly entries: number
  readonly stateBytes: number
}

export interface Listeners {
  onPosition?(position: number): void
  onCheckpoint?(point: { position: number; bytes: number; records: number }): void
  onFigures?(figures: EngineFigures): void
  onProblem(text: string): void
}

export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #spawnedMs = performance.now()
  readonly #waiting: { type: ServiceMessage['type']; resolve: (message: ServiceMessage) => void; reject: (error: Error) => void }[] = []
  readonly #listeners: Listeners
  /** How it ended, in words: the process is gone, or was never there, and everything it said has been heard. */
  readonly ended: Promise<string>
  #endExpected = false
  #gone: Error | undefined

  constructor(settings: ServiceSettings, listeners: Listeners) {
    this.#listeners = listeners
    const child = spawn(process.execPath, [SERVICE, JSON.stringify(settings)], { stdio: ['ignore', 2, 2, 'ipc'] })
    this.#child = child
    const failed = new Promise<string>(resolve => {
      // One that could not be started has no exit. What is sent to a process that was just killed is lost; how it ended is told by its exit.
      child.on('error', error => {
        if (child.pid === undefined) resolve(`could not be started: ${error.message}`)
      })
    })
    child.on('message', message => this.#heard(message as ServiceMessage))
    const exited = new Promise<string>(resolve => child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `status ${code}`}`)))
    const silent = new Promise<void>(resolve => child.once('disconnect', resolve))
    this.ended = Promise.race([failed, Promise.all([exited, silent]).then(([how]) => how)]).then(how => {
      this.#gone = new Error(`the ${settings.engine} service ${how}`)
      if (!this.#endExpected || (how !== 'ended with SIGKILL' && how !== 'ended with status 0')) listeners.onProblem(this.#gone.message)
      for (const { reject } of this.#waiting.splice(0)) reject(this.#gone)
      return how
    })
  }

  /** Resolves when the service has answered its first request, rightly where it goes on at `completeAt` or later. Rejects when it ends before. */
  async firstAnswer(completeAt: number): Promise<FirstAnswer> {
    // Where somebody else asks first, both messages may come at once.
    const answered = this.#next('answered')
    // Awaited below; the request may fail first.
    answered.catch(() => {})
    const message = await this.#next('listening')
    if (message.type !== 'listening') throw new Error('unreachable')
    const listeningMs = performance.now()
    const { port, position, openMs } = message
    await request(port, FIRST_PATH, position >= completeAt)
    const nowMs = performance.now()
    const said = await answered
    if (said.type !== 'answered') throw new Error('unreachable')
    const { readBytes, entries, stateBytes } = said
    const [sinceSpawnMs, sinceListeningMs] = [nowMs - this.#spawnedMs, nowMs - listeningMs]
    return { port, position, openMs, sinceSpawnMs, sinceListeningMs, readBytes, entries, stateBytes }
  }

  /** It was told to end, by signal: whatever is under way may be cut off. */
  get stopping(): boolean {
    return this.#endExpected
  }

  feed(): void {
    this.#send({ type: 'feed' })
  }

  /** Resolves when the batch in hand is in memory and no other follows. */
  async pause(): Promise<void> {
    const paused = this.#next('paused')
    this.#send({ type: 'pause' })
    await paused
  }

  /** SIGKILL: no handler runs, no buffer is written. */
  async kill(): Promise<void> {
    this.#endExpected = true
    this.#child.kill('SIGKILL')
    await this.ended
  }

  /** SIGTERM: the service closes its state and ends by itself. */
  async terminate(): Promise<void> {
    this.#endExpected = true
    this.#child.kill('SIGTERM')
    await this.ended
  }

  #next(type: ServiceMessage['type']): Promise<ServiceMessage> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    return new Promise((resolve, reject) => this.#waiting.push({ type, resolve, reject }))
  }

  #send(message: DriverMessage): void {
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  #heard(message: ServiceMessage): void {
    if (message.type === 'position') this.#listeners.onPosition?.(message.position)
    else if (message.type === 'checkpoint') this.#listeners.onCheckpoint?.(message)
    else if (message.type === 'figures') this.#listeners.onFigures?.(message.figures)
    else if (message.type === 'problem') this.#listeners.onProblem(message.text)
    const place = this.#waiting.findIndex(({ type }) => type === message.type)
    if (place >= 0) this.#waiting.splice(place, 1)[0]?.resolve(message)
  }
}

/** The body of the answer to one GET; where there must be one, any other status than 200 rejects. */
export function request(port: number, path: string, must = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port, path }, response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        if (must && response.statusCode !== 200) reject(new Error(`${path} answered ${response.statusCode}`))
        else resolve(Buffer.concat(parts).toString())
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
  })
}
