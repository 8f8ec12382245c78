/**
 * A bit is flipped in a file between two lives, on a copy of the disk: whoever opens the copy has a state that was, or is told of the damage; who
 * falls back is told which epochs are lost, no others are, and goes on from there.
 */
import assert from 'node:assert/strict'
import { TidemarkError } from '../../src/base/errors.ts'
import type { Key } from '../../src/codec/index.ts'
import { LOG_FOLDER, MANIFEST_FOLDER, SEGMENT_FOLDER } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { readNewest } from '../../src/manifest/index.ts'
import { openStore } from '../../src/open.ts'
import { verifyStore } from '../../src/restore/verify.ts'
import type { Store } from '../../src/store.ts'
import { SeededRandom, type SimulatedStorage } from '../../src/testing/index.ts'
import type { Life } from './life.ts'
import type { Kind } from './model.ts'
import { DIRECTORY, type Opening, openReader } from './opening.ts'
import { NAMES } from './program.ts'
import { keyOf } from './values.ts'

const DAMAGE = /^TIDEMARK_(LOG|MANIFEST|SEGMENT|VALUE)_DAMAGED$/
/** Keys of each map that may not be there. */
const STRANGERS = 30

export async function lookAtRot(life: Life, opening: Opening): Promise<void> {
  const newest = await newestOf(life, opening)
  // Of a store that holds nothing there need not be left anything.
  if (newest === undefined || newest.epoch === 0) return
  const storage = life.storage.crash({ mode: 'kept', seed: life.plan.rot })
  const [spot] = storage.rot(1, whereIn(storage, life.plan.rot))
  if (spot === undefined) return
  life.totals.rotten++
  try {
    await new Rotten(life, storage, opening, newest).look()
  } catch (error) {
    throw new Error(`bit ${spot.bit} of byte ${spot.offset} of ${spot.path}, epoch ${newest.epoch} being the newest`, { cause: error })
  }
}

/** Most of the files of a store are old manifests, of which nobody needs a byte. */
function whereIn({ disk }: SimulatedStorage, number: number): string {
  const paths = disk.paths()
  const manifests = paths.filter(path => path.startsWith(MANIFEST_FOLDER))
  const segments = paths.filter(path => path.startsWith(SEGMENT_FOLDER))
  const logs = paths.filter(path => path.startsWith(LOG_FOLDER))
  const [newest = ''] = manifests.slice(-1)
  return [newest, segments[number % segments.length], logs[number % logs.length], logs.at(-1), segments.at(-1)][number % 6] ?? ''
}

interface Newest {
  readonly epoch: number
  /** No sign behind it says that it was ever whole: damaged, it is a torn tail. */
  readonly unproven: boolean
}

/** The epoch that an open of what is whole gives. */
async function newestOf({ scheduler, storage }: Life, opening: Opening): Promise<Newest | undefined> {
  const store = await scheduler.run(openReader(opening)).catch(error => {
    assertCode(error, /^TIDEMARK_NO_STORE$/)
    return undefined
  })
  if (store === undefined) return undefined
  await scheduler.run(store.close())
  const { epoch } = store.restored
  const { manifest } = (await scheduler.run(readNewest(storage))) ?? {}
  if (manifest === undefined) return { epoch, unproven: false }
  const { storeId, log, fold } = manifest
  const scan = new LogScan({ storage, storeId, log, from: fold ?? undefined, known: fold, payloads: false })
  await scheduler.run(scan.run())
  return { epoch, unproven: scan.report.unproven !== null }
}

class Rotten {
  readonly #life: Life
  readonly #storage: SimulatedStorage
  readonly #opening: Opening
  readonly #newest: Newest
  /** Reading met it. */
  #met: unknown

  constructor(life: Life, storage: SimulatedStorage, { settings, components }: Opening, newest: Newest) {
    this.#life = life
    this.#storage = storage
    this.#opening = { settings, components: { ...components, storage } }
    this.#newest = newest
  }

  async look(): Promise<void> {
    const { scheduler, totals } = this.#life
    const verified = await scheduler.run(verifyStore(this.#storage, () => undefined)).catch(error => this.#damaged(error))
    this.#met = undefined
    const refusing = await this.#open('refuse', true)
    if (refusing !== undefined) {
      // What lies behind the last epoch acknowledged may look as a power cut leaves it.
      assert.equal(refusing.restored.lost, undefined)
      this.#assertNothingLost(refusing)
      await this.#judge(refusing)
      await this.#pointsOf(refusing)
      await scheduler.run(refusing.close())
    }
    if (this.#met !== undefined) {
      totals.rotMet++
      assert.ok(verified?.ok !== true, `verified, but: ${String(this.#met)}`)
    }
    const reader = await this.#open('fall-back', true)
    if (reader !== undefined) {
      this.#assertLossStated(reader)
      await this.#judge(reader)
      await scheduler.run(reader.close())
    }
    await this.#goOn(reader)
  }

  /** Who falls back to write goes on, and what he writes is there at the next open, which has nothing to complain of any more. */
  async #goOn(reader: Store | undefined): Promise<void> {
    const { scheduler } = this.#life
    const store = await this.#open('fall-back', false)
    if (store === undefined) return
    const { epoch } = store.restored
    if (reader !== undefined) assert.equal(epoch, reader.restored.epoch, 'a writer falls back to where a reader does')
    this.#assertLossStated(store)
    await this.#judge(store)
    const key = keyOf(0, 1000)
    store.map<number>(NAMES[0]).set(key as string, epoch)
    const point = await scheduler.run(store.checkpoint()).catch(error => this.#damaged(error))
    if (point !== undefined) assert.equal(point.epoch, epoch + 1)
    await scheduler.run(store.close()).catch(error => this.#damaged(error))
    if (point === undefined) return
    const again = await scheduler.run(openReader(this.#opening))
    assert.equal(again.restored.epoch, epoch + 1)
    assert.equal(this.#tried(() => again.map<number>(NAMES[0]).get(key as string)) ?? epoch, epoch)
    await scheduler.run(again.close())
  }

  async #open(onDamage: 'refuse' | 'fall-back', readOnly: boolean): Promise<Store | undefined> {
    const { settings, components } = this.#opening
    const restore = { ...settings.restore, onDamage }
    const opened = openStore(DIRECTORY, { ...settings, readOnly, restore }, { ...components, random: new SeededRandom(8) })
    const store = await this.#life.scheduler.run(opened).catch(error => this.#damaged(error))
    if (store === undefined || store.restored.epoch <= this.#newest.epoch) return store
    // Where nothing was committed since it went back, one manifest alone knows of that.
    assert.match(store.restored.notes.join(), /an older manifest was taken/)
    await this.#life.scheduler.run(store.close())
    return undefined
  }

  #assertNothingLost({ restored: { epoch, notes } }: Store): void {
    const { epoch: newest, unproven } = this.#newest
    const { acked } = this.#life.model
    const least = Math.min(unproven ? newest - 1 : newest, acked.epoch)
    assert.ok(epoch >= least && epoch <= newest, `restored ${epoch} of ${newest}, acknowledged ${least}`)
    if (epoch < Math.min(newest, acked.epoch)) assert.ok(notes.length > 0, 'that what was acknowledged may be torn is reported')
  }

  #assertLossStated(store: Store): void {
    const { lost, epoch } = store.restored
    if (lost === undefined) {
      this.#assertNothingLost(store)
      return
    }
    this.#life.totals.rotLost++
    assert.equal(lost.firstLostEpoch, epoch + 1)
    assert.equal(lost.lastSeenEpoch, this.#newest.epoch, 'the last epoch lost')
  }

  /** All that is given was there in the epoch; what is not given is told of. */
  async #judge(store: Store): Promise<void> {
    const { model } = this.#life
    const { epoch } = store.restored
    const names = new Map<string, Kind>(Object.entries(store.stats().collections).map(([name, { kind }]) => [name, kind]))
    const wrong = model.wrongAt(epoch, names, (name, allowed) => this.#entriesOf(store, name, names.get(name) as Kind, allowed))
    assert.deepEqual(wrong.slice(0, 5), [], `epoch ${epoch}`)
  }

  /** As far as it can be read; in place of what cannot be what should be there. */
  #entriesOf(store: Store, name: string, kind: Kind, allowed: ReadonlyMap<Key, readonly unknown[]>): ReadonlyMap<Key, unknown> {
    const walked = this.#tried(() => this.#life.entriesOf(name, kind, store, true))
    if (walked !== undefined) return walked
    if (kind === 'value')
      return new Map([...allowed].flatMap(([key, wanted]) => (wanted.some(value => typeof value === 'symbol') ? [] : [[key, wanted[0]]])))
    const entries = new Map<Key, unknown>()
    const strangers = Array.from({ length: STRANGERS }, (_, n) => keyOf(NAMES.indexOf(name as 'a'), n))
    const map = this.#life.mapOf(name, store)
    for (const key of new Set([...allowed.keys(), ...strangers])) {
      const found = this.#tried(() => (map.has(key) ? { value: map.get(key) } : 'none'))
      if (found === 'none') continue
      const wanted = allowed.get(key) ?? []
      // A symbol stands for what may be absent.
      if (found !== undefined) entries.set(key, found.value)
      else if (wanted.length > 0 && !wanted.some(value => typeof value === 'symbol')) entries.set(key, wanted[0])
    }
    return entries
  }

  async #pointsOf(store: Store): Promise<void> {
    const { scheduler, model, plan } = this.#life
    const points = await scheduler.run(store.recoveryPoints()).catch(error => this.#damaged(error))
    if (points === undefined || points.length === 0) return
    for (const { lost } of points) assert.ok(lost === undefined || lost.lastLostEpoch <= this.#newest.epoch)
    const { epoch } = points[plan.rot % points.length] as (typeof points)[number]
    const at = await scheduler.run(openReader(this.#opening, epoch)).catch(error => this.#damaged(error))
    if (at === undefined) return
    assert.equal(at.restored.epoch, epoch)
    if (model.history.has(epoch)) await this.#judge(at)
    await scheduler.run(at.close())
  }

  #tried<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      return this.#damaged(error)
    }
  }

  #damaged(error: unknown): undefined {
    assertCode(error, DAMAGE)
    this.#met = error
    return undefined
  }
}

function assertCode(error: unknown, code: RegExp): void {
  if (!(error instanceof TidemarkError) || !code.test(error.code)) throw error
}
