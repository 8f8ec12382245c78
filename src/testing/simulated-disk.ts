/**
 * What a disk under a page cache holds, and what of it a power cut leaves.
 *
 * Owns: for each file the bytes as running programs see them (cache), the bytes that are safe (disk), and the changes between the two in
 * order; for each name the same. Does not own: calls, errors, faults, open handles.
 * Invariants: applying a file's pending changes to its disk bytes gives its cache bytes, unless changes were dropped by a failed sync (then
 * the cache shows bytes that are nowhere); a power cut leaves for each file its disk bytes and some part of the pending changes, and for each
 * name one of the states it had since the folder was last synced, each independently of the others.
 *
 * Between files and names the model knows less order than any real file system keeps. Within a file it knows more: one that is cut short has
 * all sectors before the cut, and one that lacks sectors in the middle has its whole length; a real one may lack both after one power cut.
 */
import { compareNames, folderOf } from '../storage/index.ts'
import type { SeededRandom } from './random.ts'

/** The unit a device writes whole. */
export const SECTOR_BYTES = 512

/** What becomes of changes that were not synced. */
export type DataFate =
  /** gone, all of them */
  | 'lost'
  /** there, all of them */
  | 'kept'
  /** there up to some byte, in the order they were made */
  | 'prefix'
  /** there up to some sector: the cut is at a multiple of 512 in the file */
  | 'torn'
  /** the file has its new length, and some sectors of what was written are zeros (or, where there were bytes before, the old ones) */
  | 'zeroed'
  /** for each file one of the above, by chance */
  | 'random'

/** What becomes of names made and removed since the folder was synced. */
export type NameFate = 'lost' | 'kept' | 'random'

type Change =
  /** `inPlace`: over bytes that the file has, in the sectors they are in. */
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer; readonly inPlace: boolean }
  | { readonly kind: 'truncate'; readonly length: number }

class Bytes {
  #bytes: Buffer = Buffer.alloc(0)
  length = 0

  static of(from: Uint8Array): Bytes {
    const made = new Bytes()
    made.write(0, from)
    return made
  }

  /** Beyond the end the gap reads as zeros. */
  write(offset: number, part: Uint8Array): void {
    const end = offset + part.length
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(end, this.#bytes.length * 2, 256))
      this.#bytes.copy(grown, 0, 0, this.length)
      this.#bytes = grown
    }
    this.#bytes.set(part, offset)
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    if (length < this.length) this.#bytes.fill(0, length, this.length)
    else this.write(length, Buffer.alloc(0))
    this.length = length
  }

  apply(change: Change): void {
    if (change.kind === 'write') this.write(change.offset, change.bytes)
    else this.truncate(change.length)
  }

  view(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }
}

/** A file without its names. */
export class SimulatedFileContent {
  readonly number: number
  readonly cache = new Bytes()
  readonly #disk = new Bytes()
  #pending: Change[] = []
  /** Names and open handles that lead here; at 0 the space is free. */
  uses = 0

  constructor(number: number, bytes: Uint8Array = Buffer.alloc(0)) {
    this.number = number
    if (bytes.length === 0) return
    this.cache.write(0, bytes)
    this.#disk.write(0, bytes)
  }

  change(change: Change): void {
    this.cache.apply(change)
    this.#pending.push(change)
  }

  get dirty(): boolean {
    return this.#pending.length > 0
  }

  sync(): void {
    for (const change of this.#pending) this.#disk.apply(change)
    this.#pending = []
  }

  /** A sync that fails: some or all changes are forgotten and nothing is dirty any more, though the cache goes on to show them. */
  dropDirty(keep: (change: number) => boolean): void {
    this.#pending.forEach((change, at) => {
      if (keep(at)) this.#disk.apply(change)
    })
    this.#pending = []
  }

  /** Flips a bit wherever the byte is: on the disk, in the cache, and in what is not synced yet, which would bring the old one back. */
  flip(offset: number, bit: number): void {
    for (const bytes of [this.cache, this.#disk]) flipIn(bytes.view(), offset, bit)
    this.#pending = this.#pending.map(change => {
      if (change.kind !== 'write' || !isInside(change.bytes, offset - change.offset)) return change
      // Not in memory that a caller may have given.
      const bytes = Buffer.from(change.bytes)
      flipIn(bytes, offset - change.offset, bit)
      return { ...change, bytes }
    })
  }

  /** The bytes a power cut leaves. */
  afterPowerCut(fate: DataFate, random: SeededRandom): Buffer {
    const chosen = fate === 'random' ? random.pick(['lost', 'kept', 'prefix', 'torn', 'zeroed'] as const) : fate
    const left = Bytes.of(this.#disk.view())
    if (chosen === 'lost' || this.#pending.length === 0) return left.view()
    if (chosen === 'kept' || chosen === 'zeroed') {
      const before = Buffer.from(left.view())
      for (const change of this.#pending) left.apply(change)
      if (chosen === 'zeroed') this.#loseSectors(left, before, random)
      return left.view()
    }
    const whole = random.below(this.#pending.length + 1)
    for (const change of this.#pending.slice(0, whole)) left.apply(change)
    const partial = this.#pending[whole]
    if (partial?.kind !== 'write') return left.view()
    let end = partial.offset + random.below(partial.bytes.length + 1)
    if (chosen === 'torn') end -= end % SECTOR_BYTES
    if (end > partial.offset) left.write(partial.offset, partial.bytes.subarray(0, end - partial.offset))
    return left.view()
  }

  #loseSectors(left: Bytes, before: Buffer, random: SeededRandom): void {
    for (const change of this.#pending) {
      if (change.kind !== 'write') continue
      const end = Math.min(change.offset + change.bytes.length, left.length)
      for (let from = change.offset; from < end; ) {
        const to = Math.min(end, from - (from % SECTOR_BYTES) + SECTOR_BYTES)
        if (random.chance(0.5)) {
          const old = change.inPlace || random.chance(0.5) ? before.subarray(from, to) : Buffer.alloc(0)
          left.write(from, Buffer.concat([old, Buffer.alloc(to - from - old.length)]))
        }
        from = to
      }
    }
  }
}

function isInside(bytes: Buffer, at: number): boolean {
  return at >= 0 && at < bytes.length
}

function flipIn(bytes: Buffer, at: number, bit: number): void {
  if (isInside(bytes, at)) bytes[at] = (bytes[at] as number) ^ (1 << bit)
}

interface NameState {
  /** What the folder on the disk has: the state at the last sync of the folder. */
  synced: SimulatedFileContent | undefined
  /** Every state since, the last one being what programs see. */
  readonly since: (SimulatedFileContent | undefined)[]
}

export class SimulatedDisk {
  readonly folders = new Set<string>([''])
  readonly capacityBytes: number
  readonly #names = new Map<string, NameState>()
  #files = 0
  #usedBytes = 0

  constructor(capacityBytes = Number.POSITIVE_INFINITY) {
    this.capacityBytes = capacityBytes
  }

  /** Bytes of all files that a name or an open handle leads to. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes)
  }

  lookup(path: string): SimulatedFileContent | undefined {
    const state = this.#names.get(path)
    return state === undefined ? undefined : current(state)
  }

  /** Paths of all files, in byte order. */
  paths(): string[] {
    return [...this.#names]
      .filter(([, state]) => current(state) !== undefined)
      .map(([path]) => path)
      .sort(compareNames)
  }

  /** A file with no name yet; its bytes count as synced. */
  make(bytes: Uint8Array = Buffer.alloc(0)): SimulatedFileContent {
    return new SimulatedFileContent(this.#files++, bytes)
  }

  setName(path: string, content: SimulatedFileContent | undefined): void {
    let state = this.#names.get(path)
    if (state === undefined) {
      state = { synced: undefined, since: [] }
      this.#names.set(path, state)
    }
    const old = current(state)
    state.since.push(content)
    if (content !== undefined) this.use(content)
    if (old !== undefined) this.unuse(old)
  }

  syncFolder(folder: string): void {
    for (const [path, state] of this.#names) {
      if (folderOf(path) !== folder || state.since.length === 0) continue
      state.synced = current(state)
      state.since.length = 0
      if (state.synced === undefined) this.#names.delete(path)
    }
  }

  use(content: SimulatedFileContent): void {
    if (content.uses++ === 0) this.#usedBytes += content.cache.length
  }

  unuse(content: SimulatedFileContent): void {
    if (--content.uses === 0) this.#usedBytes -= content.cache.length
  }

  write(content: SimulatedFileContent, offset: number, bytes: Buffer): void {
    this.#changed(content, { kind: 'write', offset, bytes, inPlace: false })
  }

  overwrite(content: SimulatedFileContent, offset: number, bytes: Buffer): void {
    this.#changed(content, { kind: 'write', offset, bytes, inPlace: true })
  }

  truncate(content: SimulatedFileContent, length: number): void {
    this.#changed(content, { kind: 'truncate', length })
  }

  /** Another disk: what this one would hold after a power cut now. This one stays as it is. */
  afterPowerCut(data: DataFate, names: NameFate, random: SeededRandom): SimulatedDisk {
    const left = new SimulatedDisk(this.capacityBytes)
    for (const folder of this.folders) left.folders.add(folder)
    const moved = new Map<SimulatedFileContent, SimulatedFileContent>()
    for (const path of [...this.#names.keys()].sort(compareNames)) {
      const state = this.#names.get(path) as NameState
      const chosen = names === 'lost' ? 0 : names === 'kept' ? state.since.length : random.below(state.since.length + 1)
      const content = chosen === 0 ? state.synced : state.since[chosen - 1]
      if (content === undefined) continue
      let copy = moved.get(content)
      if (copy === undefined) {
        copy = left.make(content.afterPowerCut(data, random))
        moved.set(content, copy)
      }
      left.setName(path, copy)
    }
    for (const folder of left.folders) left.syncFolder(folder)
    return left
  }

  #changed(content: SimulatedFileContent, change: Change): void {
    const before = content.cache.length
    content.change(change)
    if (content.uses > 0) this.#usedBytes += content.cache.length - before
  }
}

function current(state: NameState): SimulatedFileContent | undefined {
  return state.since.length === 0 ? state.synced : state.since[state.since.length - 1]
}
