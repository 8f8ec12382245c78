/**
 * A chain of lives in one directory, each ended by a kill, with the whole state checked after each.
 *
 * Owns: the directory, the model, what was ever acknowledged in it. Everything is drawn from the seed but the machine's own timing.
 * What must hold after each death: the state is that of a barrier, deeply equal to the recomputed one; it is not older than the last
 * acknowledged one and not newer than what was issued; `recoveryPoints()` leads with it and has all acknowledged epochs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'tidemark'
import type { ChildPlan } from './child.ts'
import { Dice } from './dice.ts'
import { type Death, type Life, liveOnce } from './life.ts'
import { differences, digestOf, Model, modelAt } from './model.ts'
import type { Plant } from './plant.ts'
import { worldOf } from './world.ts'

export interface ChainOptions {
  readonly seed: number
  readonly lives: number
  /** The points to be killed at: every third life, or every life when `always`. */
  readonly failpoints: readonly string[]
  readonly always?: boolean
  readonly plant?: Plant
  /** In place of the time a healthy life has until its first acknowledgement. */
  readonly ackMsMax?: number
  onLife?(result: LifeResult): void
}

export interface LifeResult {
  readonly place: string
  readonly end: Life['end']
  readonly acks: number
  /** Epochs this life made durable, as far as the next one found them. */
  readonly epochs: number
  readonly operations: number
  readonly failures: readonly string[]
}

const DIFFERENCES_SHOWN = 4
/** Steps that only a store that was there before comes to. */
export const NEED_A_STORE = /^(open\.(takeover|scan)|roll\.sync-old)$/

export class Chain {
  readonly directory = mkdtempSync(join(tmpdir(), 'tidemark-crash-'))
  readonly #options: ChainOptions
  readonly #dice: Dice
  readonly #model: Model
  /** Operations before each barrier ever heard of; a later life's word on an epoch replaces that of one that did not get it durable. */
  readonly #barriers = new Map<number, number>([[0, 0]])
  /** Epochs known to be durable. */
  readonly #durable = new Set<number>()
  #epoch = 0

  constructor(options: ChainOptions) {
    this.#options = options
    this.#dice = new Dice(options.seed, 1)
    this.#model = new Model(options.seed)
  }

  /** All lives, or as many as go well. */
  async run(): Promise<readonly string[]> {
    for (let life = 0; life < this.#options.lives; life++) {
      const result = await this.#next(life)
      this.#options.onLife?.(result)
      if (result.failures.length > 0) return result.failures
    }
    const failures = await this.#checkPast()
    if (failures.length === 0) rmSync(this.directory, { recursive: true, force: true })
    return failures
  }

  async #next(life: number): Promise<LifeResult> {
    const { plan, death, place } = this.#draw(life)
    const lived = await liveOnce(plan, death, this.#options.ackMsMax)
    const before = this.#epoch
    const operations = this.#model.counter.get()
    const failures = this.#judge(lived)
    // In turns, so that some lives begin with what the one before left; behind the last one both, for looking changes nothing.
    for (const readOnly of life === this.#options.lives - 1 ? [true, false] : [life % 2 === 0]) {
      try {
        failures.push(...(await this.#examine(lived, readOnly)))
      } catch (error) {
        failures.push(`opening ${readOnly ? 'read-only' : 'for writing'} afterwards failed: ${(error as Error).stack ?? String(error)}`)
      }
      if (failures.length > 0) break
    }
    if (failures.length > 0) failures.push(`this was life ${life}: ${JSON.stringify({ plan, death, end: lived.end, acks: lived.acks })}`)
    return {
      place: lived.end === 'closed' && death.failpoint === undefined ? 'none: it closed before' : place,
      end: lived.end,
      acks: lived.acks,
      epochs: this.#epoch - before,
      operations: this.#model.counter.get() - operations,
      failures,
    }
  }

  /** How the next life goes and how it ends. */
  #draw(life: number): { plan: ChildPlan; death: Death; place: string } {
    const dice = this.#dice
    const { failpoints, always, plant, seed } = this.#options
    const possible = failpoints.filter(name => (life === 0 ? !NEED_A_STORE.test(name) : name !== 'open.folders'))
    const place = possible.length > 0 && (always === true || dice.oneIn(3)) ? dice.pick(possible) : undefined
    const closes = place === 'close.sync' || dice.oneIn(/^commit\.(seal|end)$/.test(place ?? '') ? 2 : 12)
    const burst = place?.startsWith('block.') === true
    // The last step of a commit waits until the writer is idle, or is closed.
    const seals = /^commit\.(seal|end)$/.test(place ?? '')
    const rests = (seals && !closes) || dice.oneIn(8)
    const plan: ChildPlan = {
      directory: this.directory,
      seed,
      lifeSeed: dice.next(),
      intervalMs: dice.oneIn(3) ? 0 : dice.between(20, 50),
      compression: burst ? 'none' : dice.pick(['zstd', 'zstd', 'deflate', 'none'] as const),
      lock: dice.oneIn(5) ? 'none' : 'os',
      ...(burst ? { burst: 500 } : {}),
      ...(rests ? { restMs: dice.between(600, 900) } : {}),
      ...(closes ? { closeAfterMs: dice.between(20, 150) } : {}),
      ...(plant === undefined ? {} : { plant }),
    }
    if (place !== undefined) {
      const often = /^(commit|block)/.test(place)
      return { plan, death: { failpoint: `${place}:${often && !rests && dice.oneIn(2) ? dice.between(2, 8) : 1}` }, place }
    }
    if (!closes && dice.oneIn(4)) return { plan, death: { from: 'start', afterMs: dice.between(90, 500) }, place: 'random, from the start' }
    return { plan, death: { from: 'acknowledgement', afterMs: dice.below(closes ? 200 : 150) }, place: 'random, at work' }
  }

  /** What the child itself said, against what is known. */
  #judge(lived: Life): string[] {
    const failures: string[] = []
    if (lived.end === 'crashed') failures.push(`the process ended by itself: ${lived.output}`)
    if (lived.overdue !== undefined) failures.push(`the process did not go on: ${lived.overdue}`)
    for (const event of lived.events) failures.push(`the process reported: ${event}`)
    const { opened } = lived
    if (opened === undefined) return failures
    if (opened.epoch !== this.#epoch) failures.push(`restored epoch ${opened.epoch} in the next process, ${this.#epoch} was there before`)
    const expected = this.#model.counter.get()
    if (opened.counter !== expected) failures.push(`restored operation ${opened.counter} in the next process, ${expected} was there before`)
    else if (opened.digest !== digestOf(this.#model)) failures.push(`the next process restored another state for operation ${expected}`)
    return failures
  }

  /** Opens the directory after the death and compares everything. */
  async #examine(lived: Life, readOnly: boolean): Promise<string[]> {
    const failures: string[] = []
    for (const [epoch, counter] of lived.barriers) this.#barriers.set(epoch, counter)
    const store = await openAfterDeath(this.directory, readOnly)
    if (store === undefined) return lived.acks > 0 || this.#epoch > 0 ? ['there is no store any more'] : []
    try {
      const world = worldOf(store)
      const counter = world.counter.get()
      const { epoch } = store.restored
      const issued = Math.max(lived.issued, this.#model.counter.get())
      const acked = Math.max(lived.ackedEpoch, this.#epoch)
      if (epoch < acked) failures.push(`epoch ${acked} was acknowledged, but ${epoch} was restored`)
      if (counter < lived.ackedCounter) failures.push(`operation ${lived.ackedCounter} was acknowledged, but the state ends at ${counter}`)
      if (counter > issued) failures.push(`the state is after operation ${counter}, but only ${issued} were issued`)
      if (this.#barriers.get(epoch) !== counter) {
        failures.push(`epoch ${epoch} was cut after operation ${this.#barriers.get(epoch)}, but the state is after operation ${counter}`)
      }
      if (counter < this.#model.counter.get())
        failures.push(`the state went back from operation ${this.#model.counter.get()} to ${counter}`)
      else this.#model.advance(counter)
      failures.push(
        ...differences(world, counter < this.#model.counter.get() ? modelAt(this.#options.seed, counter) : this.#model).slice(
          0,
          DIFFERENCES_SHOWN,
        ),
      )
      this.#epoch = epoch
      this.#durable.add(epoch)
      for (let at = this.#epoch; at > 0 && !this.#durable.has(at - 1); at--) this.#durable.add(at - 1)
      // Where the last epoch was not known to be on the device, closing makes one more, with nothing in it.
      store.on('checkpoint', made => {
        this.#epoch = made.epoch
        this.#durable.add(made.epoch)
        this.#barriers.set(made.epoch, counter)
      })
      failures.push(...this.#checkPoints(await store.recoveryPoints()))
    } finally {
      await store.close()
    }
    return failures
  }

  #checkPoints(points: readonly { readonly epoch: number }[]): string[] {
    const failures: string[] = []
    const epochs = points.map(point => point.epoch)
    if ((epochs[0] ?? 0) !== this.#epoch) failures.push(`recoveryPoints() leads with ${epochs[0]}, but ${this.#epoch} was restored`)
    for (let at = 1; at < epochs.length; at++) {
      if ((epochs[at] as number) >= (epochs[at - 1] as number)) failures.push(`recoveryPoints() is not newest first at ${epochs[at]}`)
    }
    const listed = new Set(epochs)
    const missing = [...this.#durable].filter(epoch => epoch > 0 && !listed.has(epoch))
    if (missing.length > 0) failures.push(`recoveryPoints() lacks ${missing.length} durable epochs, such as ${missing[0]}`)
    return failures
  }

  /** At the end of a chain: an epoch in the middle of its history still gives exactly its state. */
  async #checkPast(): Promise<string[]> {
    const epochs = [...this.#durable].filter(epoch => this.#barriers.has(epoch) && epoch > 0)
    if (epochs.length === 0) return []
    const epoch = this.#dice.pick(epochs)
    const expected = modelAt(this.#options.seed, this.#barriers.get(epoch) as number)
    try {
      const store = await open(this.directory, { readOnly: true, restore: { at: epoch } })
      const found = differences(worldOf(store), expected)
      await store.close()
      return found.slice(0, DIFFERENCES_SHOWN).map(difference => `epoch ${epoch}, opened in hindsight: ${difference}`)
    } catch (error) {
      return [`epoch ${epoch} cannot be opened in hindsight: ${(error as Error).stack ?? String(error)}`]
    }
  }
}

/** Undefined when the process died before there was a store to read. */
async function openAfterDeath(directory: string, readOnly: boolean) {
  try {
    return await open(directory, { readOnly, checkpoint: { intervalMs: 0 } })
  } catch (error) {
    if (readOnly && (error as { code?: string }).code === 'TIDEMARK_NO_STORE') return undefined
    throw error
  }
}
