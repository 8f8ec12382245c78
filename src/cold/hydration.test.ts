import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import { HYDRATION_READ_BYTES, HYDRATION_URGENT_READS, HYDRATION_WAIT_MS_MAX } from '../base/limits.ts'
import { FIRST_PLACE, type SegmentEntry, type TouchedPlace } from '../format/index.ts'
import { Image, RecordTable } from '../image/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { type ColdSegment, ColdState } from './cold-state.ts'
import { Hydration, type HydrationParts } from './hydration.ts'

const HEADER_BYTES = 64
const UNPACK_MS = 0.2

/** Blocks of given lengths, each full of its own number; unpacking one takes a while. */
class Played extends RecordTable implements ColdSegment {
  readonly entry: SegmentEntry
  readonly home = new Map<number, Buffer>()
  readonly reads: { readonly offset: number; readonly length: number }[] = []
  readonly damaged = new Set<number>()
  readonly #scheduler: SimulatedScheduler
  readonly #offsets: number[] = []
  readonly #lengths: readonly number[]
  described = false
  undescribed = false
  closed = 0
  /** What reading the description does before it answers. */
  whenDescribed: () => void = () => {}
  /** What a read does before it answers. */
  whenRead: () => void = () => {}

  constructor(scheduler: SimulatedScheduler, lengths: readonly number[]) {
    super()
    this.#scheduler = scheduler
    this.#lengths = lengths
    let at = HEADER_BYTES
    for (const length of lengths) {
      this.#offsets.push(at)
      at += length
    }
    const place = FIRST_PLACE
    const counts = { from: 0, through: 1, records: 1, tombstones: 0, rawBytes: 1 }
    this.entry = { file: 'segment/a.seg', bytes: at, sha256: '', describedAt: at, ...counts, first: place, last: place }
  }

  readonly sharedBytes = 0
  comesHome = false

  async describe(): Promise<void> {
    if (this.undescribed) throw new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'its description does not verify')
    this.whenDescribed()
    this.described = true
  }

  async describeBlocks(): Promise<void> {
    await this.describe()
  }

  get blocks(): number {
    assert.ok(this.described)
    return this.#lengths.length
  }

  get atHome(): boolean {
    return this.home.size === this.#lengths.length
  }

  wanted = (): never => assert.fail('nobody else unpacks')

  has(block: number): boolean {
    return this.home.has(block)
  }

  /** The key says which. */
  blockOf({ collection, key }: TouchedPlace): number {
    return collection === 1 ? (key[0] as number) : -1
  }

  storedRange(block: number): { offset: number; length: number } {
    return { offset: this.#offsets[block] as number, length: this.#lengths[block] as number }
  }

  async read(offset: number, length: number): Promise<Buffer> {
    assert.equal(this.closed, 0)
    this.reads.push({ offset, length })
    this.whenRead()
    await this.#scheduler.sleep(1)
    const bytes = Buffer.alloc(length)
    for (const [block, start] of this.#offsets.entries()) {
      if (start >= offset && start < offset + length) bytes.fill(block, start - offset, start - offset + (this.#lengths[block] as number))
    }
    return bytes
  }

  unpack(block: number, stored: Buffer): Buffer {
    this.#scheduler.clock.advance(UNPACK_MS)
    assert.equal(stored.length, this.#lengths[block])
    assert.ok(stored.every(byte => byte === block))
    if (this.damaged.has(block)) throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', `block ${block}`)
    return stored
  }

  keep(block: number, raw: Buffer): void {
    assert.ok(!this.home.has(block), 'once')
    this.home.set(block, raw)
  }

  async close(): Promise<void> {
    this.closed++
  }
}

function stateOf(segments: readonly ColdSegment[]): ColdState {
  return new ColdState(
    { image: new Image({ tables: [], young: segments, base: [{ start: FIRST_PLACE, through: 0, layer: null }] }), segments },
    () => 0,
  )
}

interface Begun {
  readonly hydration: Hydration
  readonly slices: number[]
}

function begin(state: ColdState, scheduler: SimulatedScheduler, more: Partial<HydrationParts> = {}): Begun {
  const slices: number[] = []
  const stalled = (ms: number): void => void slices.push(ms)
  return {
    hydration: new Hydration(state, { clock: scheduler.clock, scheduler, loopLoad: () => 0, stallMsMax: 1, stalled, ...more }),
    slices,
  }
}

test('every block comes home, in large reads and short slices, and the descriptors go', async () => {
  const scheduler = new SimulatedScheduler()
  const large = HYDRATION_READ_BYTES + 5
  const segments = [new Played(scheduler, Array(40).fill(100_000)), new Played(scheduler, [7, large, 8, 9]), new Played(scheduler, [1])]
  const state = stateOf(segments)
  const { hydration, slices } = begin(state, scheduler)
  assert.equal(hydration.progress.state, 'running')
  assert.equal(hydration.progress.bytesHome, 0)
  const watched = hydration.done.then(() => assert.equal(state.atHome, true))
  await scheduler.run(watched)
  const total = segments.reduce((sum, { entry }) => sum + entry.describedAt, 0)
  assert.deepEqual(hydration.progress, { state: 'done', bytesHome: total, bytesTotal: total })
  for (const segment of segments) {
    assert.ok(segment.atHome)
    assert.equal(segment.closed, 1)
  }
  for (const { length } of segments.flatMap(segment => segment.reads)) assert.ok(length <= HYDRATION_READ_BYTES || length === large)
  assert.equal(segments[0]?.reads.length, 4)
  assert.equal(segments[1]?.reads.length, 3)
  assert.ok(slices.length > 15)
  for (const ms of slices) assert.ok(ms <= 0.5 + UNPACK_MS, `a slice of ${ms} ms`)
  assert.equal(scheduler.waiting, 0)
})

test('what look-ups brought home meanwhile is not unpacked again, and counts', async () => {
  const scheduler = new SimulatedScheduler()
  const segments = [new Played(scheduler, [5, 6, 7, 8]), new Played(scheduler, [5, 5])]
  const [first, second] = segments as [Played, Played]
  const state = stateOf(segments)
  const { hydration } = begin(state, scheduler)
  assert.deepEqual([first.comesHome, second.comesHome], [true, true])
  // One while its piece is under way, and all of the other segment.
  first.whenRead = () => {
    first.home.set(2, Buffer.alloc(7, 2))
    for (const block of [0, 1]) second.home.set(block, Buffer.alloc(5, block))
  }
  await scheduler.run(hydration.done)
  const total = first.entry.describedAt + second.entry.describedAt
  assert.deepEqual(hydration.progress, { state: 'done', bytesHome: total, bytesTotal: total })
  assert.deepEqual([first.atHome, second.atHome, state.atHome], [true, true, true])
  assert.deepEqual([second.reads.length, second.closed], [0, 1])
})

test('a store without segments is at home at once', async () => {
  const scheduler = new SimulatedScheduler()
  const { hydration } = begin(stateOf([]), scheduler)
  await scheduler.run(hydration.done)
  assert.deepEqual(hydration.progress, { state: 'done', bytesHome: 0, bytesTotal: 0 })
})

test('what cannot be read stays on the disk, the rest comes home, and the first error is told', async () => {
  const scheduler = new SimulatedScheduler()
  const segments = [new Played(scheduler, [5, 5, 5]), new Played(scheduler, [5, 5]), new Played(scheduler, [5])]
  const [first, second, third] = segments as [Played, Played, Played]
  first.damaged.add(1)
  second.whenRead = () => {
    throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
  }
  const state = stateOf(segments)
  const { hydration } = begin(state, scheduler)
  await assert.rejects(scheduler.run(hydration.done), { code: 'TIDEMARK_VALUE_DAMAGED', message: 'block 1' })
  assert.equal(hydration.progress.state, 'failed')
  assert.deepEqual([...first.home.keys()], [0, 2])
  assert.equal(second.home.size, 0)
  assert.ok(third.atHome)
  assert.deepEqual(
    segments.map(({ closed }) => closed),
    [0, 0, 1],
  )
  assert.equal(state.atHome, false)
})

test('a segment closed under the reading of its description, as a later view does without it, is no failure', async () => {
  const scheduler = new SimulatedScheduler()
  const old = new Played(scheduler, [5])
  const next = new Played(scheduler, [5])
  const state = stateOf([old, next])
  old.whenDescribed = () => {
    state.exchange({ image: state.image, segments: [next] })
    throw new TidemarkError('TIDEMARK_STORAGE', 'closed')
  }
  const { hydration } = begin(state, scheduler)
  await scheduler.run(hydration.done)
  assert.equal(hydration.progress.state, 'done')
  assert.ok(next.atHome)
  assert.equal(old.home.size, 0)
})

test('a segment that cannot be described stays on the disk, the rest comes home', async () => {
  const scheduler = new SimulatedScheduler()
  const segments = [new Played(scheduler, [5]), new Played(scheduler, [5, 5])]
  const [first, second] = segments as [Played, Played]
  first.undescribed = true
  const { hydration } = begin(stateOf(segments), scheduler)
  await assert.rejects(scheduler.run(hydration.done), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
  assert.equal(first.home.size, 0)
  assert.ok(second.atHome)
})

test('a busy event loop is left alone, for a bounded time a piece', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, Array(4).fill(HYDRATION_READ_BYTES))
  let load = 1
  const { hydration } = begin(stateOf([segment]), scheduler, { loopLoad: () => load })
  await scheduler.run(HYDRATION_WAIT_MS_MAX - 100)
  assert.equal(segment.home.size, 0)
  await scheduler.run(HYDRATION_WAIT_MS_MAX + 100)
  assert.equal(segment.home.size, 1)
  load = 0.5
  await scheduler.run(HYDRATION_WAIT_MS_MAX + 200)
  assert.ok(segment.atHome)
  await scheduler.run(hydration.done)
})

test('in an event loop that stays busy it is a piece that waits, not each of the blocks that were touched', async () => {
  const scheduler = new SimulatedScheduler()
  // None lies beside another.
  const segment = new Played(scheduler, Array(120).fill(100_000))
  const touched = async (): Promise<TouchedPlace[]> =>
    [...Array(60).keys()].map(at => ({ collection: 1, key: Uint8Array.of(2 * at), cut: false }))
  const { hydration } = begin(stateOf([segment]), scheduler, { touched, loopLoad: () => 1 })
  // 6 MB of them are not 60 waits, and not none.
  await scheduler.run(5 * HYDRATION_WAIT_MS_MAX)
  assert.ok(segment.home.size >= 30 && segment.home.size < 60, `${segment.home.size} blocks`)
  await scheduler.run(7 * HYDRATION_WAIT_MS_MAX)
  assert.ok(segment.home.size >= 60, `${segment.home.size} blocks`)
  await scheduler.run(hydration.stop())
  await assert.rejects(hydration.done)
})

test('a read that fails takes no more with it than what cannot be read', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, Array(20).fill(50_000))
  segment.whenRead = () => {
    const { offset, length } = segment.reads.at(-1) as { offset: number; length: number }
    const bad = segment.storedRange(7).offset + 10
    if (offset <= bad && bad < offset + length) throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
  }
  const { hydration } = begin(stateOf([segment]), scheduler)
  await assert.rejects(scheduler.run(hydration.done), { code: 'TIDEMARK_STORAGE' })
  assert.equal(segment.home.size, 19)
  assert.ok(!segment.has(7))
})

test('a segment of which one block is damaged is tried again for the sake of another', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, [HYDRATION_READ_BYTES, HYDRATION_READ_BYTES, 5])
  segment.damaged.add(0)
  segment.whenRead = () => {
    if (segment.reads.length === 2) throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
  }
  const { hydration } = begin(stateOf([segment]), scheduler)
  await assert.rejects(scheduler.run(hydration.done), { code: 'TIDEMARK_VALUE_DAMAGED' })
  assert.deepEqual([...segment.home.keys()], [2, 1])
})

test('in a calm event loop hardly anything is waited for, however busy it seems while a block is read', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, Array(40).fill(HYDRATION_READ_BYTES))
  let asked = 0
  let at = -1
  const loopLoad = (): number => {
    const passed = scheduler.clock.monotonic() - at
    at = scheduler.clock.monotonic()
    asked++
    return passed < 3 ? 1 : 0.1
  }
  const { hydration } = begin(stateOf([segment]), scheduler, { loopLoad })
  await scheduler.run(hydration.done)
  assert.ok(asked >= 40)
  assert.ok(scheduler.clock.monotonic() < 300, `${scheduler.clock.monotonic()} ms`)
})

test('an event loop that is busy with cold look-ups is helped, not left alone', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, Array(4).fill(HYDRATION_READ_BYTES))
  const state = stateOf([segment])
  segment.whenRead = () => {
    for (let look = 0; look < HYDRATION_URGENT_READS; look++) state.timed(() => look)
  }
  const { hydration } = begin(state, scheduler, { loopLoad: () => 1 })
  await scheduler.run(100)
  assert.ok(segment.atHome)
  await scheduler.run(hydration.done)
})

test('a stop ends it wherever it is, and nothing runs after it', async () => {
  for (let at = 0; at < 12; at += 0.3) {
    const scheduler = new SimulatedScheduler()
    const segments = [new Played(scheduler, [9, HYDRATION_READ_BYTES, 9, 9, 9, 9, 9]), new Played(scheduler, [1])]
    const { hydration } = begin(stateOf(segments), scheduler, { loopLoad: () => (at > 8 ? 1 : 0) })
    await scheduler.run(at)
    const finished = hydration.progress.state === 'done'
    const stopped = hydration.stop()
    await scheduler.run(stopped)
    const seen = (): unknown => segments.map(({ home, reads }) => [home.size, reads.length])
    const before = seen()
    await scheduler.run()
    assert.deepEqual(seen(), before)
    if (finished) await hydration.done
    else {
      assert.equal(hydration.progress.state, 'stopped')
      await assert.rejects(hydration.done, { code: 'TIDEMARK_CLOSED' })
    }
  }
})

for (const fails of [false, true]) {
  test(`a segment that a later view does without is left${fails ? ', also when it was closed under a read' : ''}`, async () => {
    const scheduler = new SimulatedScheduler()
    const old = new Played(scheduler, [HYDRATION_READ_BYTES, HYDRATION_READ_BYTES])
    const next = new Played(scheduler, [5])
    const state = stateOf([old, next])
    const { hydration } = begin(state, scheduler)
    old.whenRead = () => {
      const left = state.exchange({ image: state.image, segments: [next] })
      assert.deepEqual(left, [old])
      if (fails) throw new TidemarkError('TIDEMARK_STORAGE', 'closed')
    }
    await scheduler.run(hydration.done)
    assert.equal(old.reads.length, 1)
    assert.ok(next.atHome)
    assert.equal(state.atHome, true)
    assert.equal(state.version, 1)
  })
}

test('blocks that the last run touched come first, most touched first; the others follow, and each comes once', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Played(scheduler, Array(100).fill(100_000))
  const kept: number[] = []
  const keep = segment.keep.bind(segment)
  segment.keep = (block, raw) => {
    kept.push(block)
    keep(block, raw)
  }
  const place = (block: number, collection = 1): TouchedPlace => ({ collection, key: Uint8Array.of(block), cut: false })
  const touched = async (): Promise<TouchedPlace[]> => [place(7), place(90), place(3, 2), place(91), place(90), place(40)]
  const state = stateOf([segment])
  const { hydration, slices } = begin(state, scheduler, { touched })
  await scheduler.run(hydration.done)
  assert.deepEqual(kept.slice(0, 4).toSorted(), [40, 7, 90, 91].toSorted())
  assert.deepEqual(
    kept.toSorted((one, other) => one - other),
    [...Array(100).keys()],
  )
  assert.equal(state.atHome, true)
  assert.equal(segment.closed, 1)
  const total = segment.entry.describedAt
  assert.deepEqual(hydration.progress, { state: 'done', bytesHome: total, bytesTotal: total })
  for (const ms of slices) assert.ok(ms <= 0.5 + UNPACK_MS, `a slice of ${ms} ms`)
})

test('all that a segment has may have been touched', async () => {
  const scheduler = new SimulatedScheduler()
  const segments = [new Played(scheduler, [5, 5, 5]), new Played(scheduler, [5, 5, 5])]
  segments[1]?.damaged.add(2)
  const touched = async (): Promise<TouchedPlace[]> => [2, 0, 1].map(block => ({ collection: 1, key: Uint8Array.of(block), cut: false }))
  const { hydration } = begin(stateOf(segments), scheduler, { touched })
  await assert.rejects(scheduler.run(hydration.done), { code: 'TIDEMARK_VALUE_DAMAGED' })
  assert.deepEqual(
    segments.map(({ closed, home }) => [closed, home.size]),
    [
      [1, 3],
      [0, 2],
    ],
  )
})
