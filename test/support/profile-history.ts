/** Histories of which everything is known, for the profile: epochs of records in, figures computed the plain way beside it. */
import { ByteWriter } from '../../src/base/bytes.ts'
import { BLOCK_RAW_BYTES } from '../../src/base/limits.ts'
import { appendRecord, type Compress, FRAME_HEADER_BYTES, openCompress, recordBytes } from '../../src/format/index.ts'
import { Profiler, type ProfilerOptions } from '../../src/profile/profiler.ts'
import type { Profile } from '../../src/profile/types.ts'

/** Undefined: deleted. */
export type Write = readonly [collection: string, key: string, value: string | Buffer | undefined]

export interface EpochOf {
  readonly timeMs: number
  readonly writes: readonly Write[]
}

/** What a commit takes in the log beside its blocks. */
const COMMIT_BYTES = 400
const MEASURING = { monotonic: () => performance.now(), pause: () => undefined }

function recordOf(id: number, key: string, value: string | Buffer | undefined): Buffer {
  const writer = new ByteWriter(64)
  appendRecord(writer, id, Buffer.from(key), value === undefined ? undefined : Buffer.from(value))
  return Buffer.from(writer.view())
}

/** As the engine would have written them: blocks of at most 64 KiB, each compressed by itself. */
export class History {
  readonly profiler: Profiler
  readonly #ids = new Map<string, number>()
  readonly #alive = new Map<string, Set<string>>()
  readonly #compress: Compress
  #epoch = 0
  #lastId = 0

  private constructor(options: ProfilerOptions, compress: Compress) {
    this.profiler = new Profiler(options)
    this.#compress = compress
  }

  static async make(options: ProfilerOptions = {}, compression: 'zstd' | 'none' = 'zstd'): Promise<History> {
    return new History(options, await openCompress(compression))
  }

  add({ timeMs, writes }: EpochOf): void {
    const blocks: Buffer[] = []
    let writer = new ByteWriter(1024)
    for (const [collection, key, value] of writes) {
      const record = recordOf(this.#idOf(collection), key, value)
      if (writer.length > 0 && writer.length + record.length > BLOCK_RAW_BYTES) {
        blocks.push(Buffer.from(writer.view()))
        writer = new ByteWriter(1024)
      }
      writer.raw(record)
      const alive = this.#alive.get(collection) as Set<string>
      if (value === undefined) alive.delete(key)
      else alive.add(key)
    }
    if (writer.length > 0) blocks.push(Buffer.from(writer.view()))
    const packed = blocks.map(block => this.#compress(block))
    const blockBytes = packed.reduce((sum, { payload }) => sum + FRAME_HEADER_BYTES + payload.length, 0)
    const rawBytes = blocks.reduce((sum, block) => sum + block.length, 0)
    const catalogue = [...this.#ids].map(([name, id]) => ({
      id,
      kind: 'map' as const,
      name,
      codec: 'tide1',
      entries: this.#alive.get(name)?.size ?? 0,
      bytes: 0,
    }))
    const commit = { epoch: ++this.#epoch, timeMs, blockBytes, rawBytes, catalogue }
    for (const [at, block] of blocks.entries()) this.profiler.block(block, packed[at]?.id ?? 0, commit)
    this.profiler.commit(commit, blockBytes + COMMIT_BYTES)
  }

  /** From the next epoch on. */
  deleteCollection(name: string): void {
    this.#ids.delete(name)
  }

  report(): Promise<Profile> {
    return this.profiler.report(MEASURING)
  }

  #idOf(name: string): number {
    let id = this.#ids.get(name)
    if (id === undefined) {
      id = ++this.#lastId
      this.#ids.set(name, id)
      this.#alive.set(name, new Set())
    }
    return id
  }
}

export async function profileOf(
  epochs: readonly EpochOf[],
  options: ProfilerOptions = {},
  compression?: 'zstd' | 'none',
): Promise<Profile> {
  const history = await History.make(options, compression)
  for (const epoch of epochs) history.add(epoch)
  return await history.report()
}

/** `count` epochs joined into one, the last record of each key in it. */
export function joined(epochs: readonly EpochOf[], count: number): EpochOf[] {
  const found: EpochOf[] = []
  for (let at = 0; at < epochs.length; at += count) {
    const some = epochs.slice(at, at + count)
    const writes = new Map<string, Write>()
    for (const write of some.flatMap(epoch => epoch.writes)) writes.set(`${write[0]} ${write[1]}`, write)
    found.push({ timeMs: (some.at(-1) as EpochOf).timeMs, writes: [...writes.values()] })
  }
  return found
}

/** Of characters below 128. */
function sizeOf(key: string, value: string | Buffer | undefined): number {
  return recordBytes(1, key.length, value?.length)
}

export interface Truth {
  readonly records: number
  readonly bytes: number
  readonly distinct: number
  readonly redundant: number
  readonly keys50: number
  readonly keys90: number
}

/** Of a history with one collection, in which a key stands once in an epoch. */
export function truthOf(epochs: readonly EpochOf[]): Truth {
  const counts = new Map<string, number>()
  const last = new Map<string, string | Buffer | undefined>()
  let redundant = 0
  let bytes = 0
  for (const [, key, value] of epochs.flatMap(epoch => epoch.writes)) {
    counts.set(key, (counts.get(key) ?? 0) + 1)
    if (last.has(key) && last.get(key) === value) redundant++
    last.set(key, value)
    bytes += sizeOf(key, value)
  }
  const sorted = [...counts.values()].sort((a, b) => b - a)
  const records = sorted.reduce((sum, count) => sum + count, 0)
  const hottest = (share: number): number => {
    let seen = 0
    return sorted.findIndex(count => (seen += count) >= share * records) + 1
  }
  return { records, bytes, distinct: counts.size, redundant, keys50: hottest(0.5), keys90: hottest(0.9) }
}

export function bytesOf(epochs: readonly EpochOf[]): number {
  return epochs.flatMap(epoch => epoch.writes).reduce((sum, [, key, value]) => sum + sizeOf(key, value), 0)
}

/** Numbers from 0 to 1, the same for the same seed. */
export function dice(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws from 0 to keys - 1, the first most often: by Zipf's law with this exponent; 0: all alike. */
export function zipf(random: () => number, keys: number, exponent: number): () => number {
  const sums = new Float64Array(keys)
  let total = 0
  for (let key = 0; key < keys; key++) sums[key] = total += 1 / (key + 1) ** exponent
  return () => {
    const drawn = random() * total
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) < drawn) low = middle + 1
      else high = middle
    }
    return low
  }
}

export const BEGIN_MS = Date.UTC(2026, 0, 5)

export interface Life {
  readonly epochs: number
  readonly perEpoch: number
  readonly keys: number
  readonly exponent: number
  readonly seed: number
  readonly intervalMs?: number
  /** Of the writes, that repeat the value of the one before. */
  readonly redundantShare?: number
}

/** A service that writes `perEpoch` times in each interval; what it writes of a key twice within one counts once. */
export function lifeOf({ epochs, perEpoch, keys, exponent, seed, intervalMs = 1000, redundantShare = 0 }: Life): EpochOf[] {
  const random = dice(seed)
  const draw = zipf(random, keys, exponent)
  const last = new Map<string, string>()
  return Array.from({ length: epochs }, (_, index) => {
    const writes = new Map<string, Write>()
    for (let count = 0; count < perEpoch; count++) {
      const key = `key-${draw()}`
      const old = last.get(key)
      const value =
        old !== undefined && random() < redundantShare
          ? old
          : `{"n":${index * perEpoch + count},"state":"${random() < 0.5 ? 'active' : 'idle'}"}`
      if (!writes.has(key)) {
        writes.set(key, ['things', key, value])
        last.set(key, value)
      }
    }
    return { timeMs: BEGIN_MS + (index + 1) * intervalMs + Math.floor(4 * random()), writes: [...writes.values()] }
  })
}
