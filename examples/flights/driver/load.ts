/**
 * Requests as they come in from outside: at random moments (Poisson), at a fixed mean rate, whether or not earlier ones are answered.
 * The latency of a request counts from the moment it was due, so a service that stands still does not hide the requests it delayed.
 * Requests go over kept-alive connections. While there is no target they are counted as missed.
 */
import { Agent, get } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import type { Random } from './random.ts'

export interface Target {
  readonly port: number
  /** Every path asked for has an answer: the flights it is about were counted before the request was sent. */
  readonly complete: () => boolean
  answered(latencyMs: number): void
  failed(error: Error): void
}

/** Requests ask for the airports and routes of so many flights from the beginning: a few hundred airports, the busy routes more often. */
export const SAMPLE_FLIGHTS = 5000
const CONNECTIONS_MAX = 64
/** Of those that are late already. More in one turn, and where sending takes longer than the gap between two, there would be no other any more. */
const SENDS_A_TURN_MAX = 250
/** How long the answers under way are waited for at the end; one that takes longer has failed. */
const ANSWER_MS_MAX = 30_000

export class Load {
  readonly #paths: readonly string[]
  readonly #meanGapMs: number
  readonly #random: Random
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX })
  #target: Target | undefined
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #dueMs = 0
  #underWay = 0
  /** Requests that were due while there was nobody to answer them. */
  missed = 0
  /** How late the driver itself sent each request, in ms: part of every latency. */
  readonly lateness: number[] = []

  constructor(paths: readonly string[], requestsPerSecond: number, random: Random) {
    this.#paths = paths
    this.#meanGapMs = 1000 / requestsPerSecond
    this.#random = random
  }

  start(): void {
    this.#dueMs = performance.now()
    this.#advance()
    this.#schedule()
  }

  aim(target: Target | undefined): void {
    this.#target = target
  }

  /** Sends no more, and waits for the answers under way. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    const untilMs = performance.now() + ANSWER_MS_MAX
    while (this.#underWay > 0 && performance.now() < untilMs) await setTimeout(10)
    this.#agent.destroy()
  }

  #advance(): void {
    this.#dueMs -= Math.log(1 - this.#random()) * this.#meanGapMs
  }

  #schedule(): void {
    const waitMs = this.#dueMs - performance.now()
    if (waitMs > 0) this.#timer = globalThis.setTimeout(() => this.#sendDue(), waitMs)
    else this.#immediate = setImmediate(() => this.#sendDue())
  }

  #sendDue(): void {
    for (let sent = 0; sent < SENDS_A_TURN_MAX && this.#dueMs <= performance.now(); sent++) {
      this.#send(this.#dueMs)
      this.#advance()
    }
    this.#schedule()
  }

  #send(dueMs: number): void {
    const path = this.#paths[Math.floor(this.#random() * this.#paths.length)] as string
    const target = this.#target
    if (target === undefined) {
      this.missed++
      return
    }
    this.lateness.push(performance.now() - dueMs)
    this.#underWay++
    const complete = target.complete()
    const request = get({ host: '127.0.0.1', port: target.port, path, agent: this.#agent }, response => {
      response.resume()
      response.once('end', () => {
        if (response.statusCode === 200 || (response.statusCode === 404 && !complete)) target.answered(performance.now() - dueMs)
        else target.failed(new Error(`${path} answered ${response.statusCode}`))
      })
      response.once('error', error => target.failed(error))
    })
    request.once('error', error => target.failed(error))
    request.once('close', () => this.#underWay--)
  }
}
