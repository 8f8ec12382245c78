/**
 * The newest manifest, as its only author knows it: what is published next builds upon it, and a stranger's means that the store is not ours
 * any more.
 *
 * Owns: the newest manifest of this writer. Does not own: what the next one says, when one is due.
 * Invariants: of an attempt that failed half way what counts is what is in the storage: a manifest of our own that is there is the newest. One
 * is published at a time; upkeep's are published beside the log, and a commit's check of the token waits for none of them: what it finds there
 * is ours or a stranger's. Only a roll waits for one, and who gives a file up. A stranger's first manifest may be gone by the time we look,
 * but then ours, which it stood behind, went before it (manifest/manifest-store.ts), and we never remove our newest: so the next one is looked
 * for first, then our own. Where one of them is missing, only a later one in the list says that somebody has come, and one whose number we have tried
 * only by what it says: behind a gap, where one that did not read back was removed by hand, it is ours. Without a later one, the directory was taken
 * away, which is a failure of the storage like any other, or it is back: between two looks nothing is concluded from what is not there.
 * A store that `copy` made has the numbers of its source: so before anything is published, and before files go, what stands under our own number is read.
 * One of ours that does not read back as it was written keeps its number and counts for nothing: the one before it stays the newest, here and
 * for whoever opens the store. What does not verify under a number that we have tried may be ours, half written or spoiled: it is undecided,
 * and read again at each look. Nobody has opened the store with it yet, for an opener reads his manifest back before he reads the log: what
 * was synced before the look he will find. So is what is not given back, where the storage said that we made it and no list lacked it since; of any
 * other the rival who made it may have read it whole.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { encodeManifest, firstLine, type LogPosition, logNumbers, type Manifest, manifestName } from '../format/index.ts'
import {
  assertInPlace,
  assertStillOurs,
  directoryGone,
  listManifests,
  newestNumber,
  pruneManifests,
  publish,
  readManifest,
  spoiled,
} from '../manifest/index.ts'
import { isErrno, isNotGivenBack, nameOf, notWhereItWas, type Storage } from '../storage/index.ts'

/** Of one manifest: a storage that goes on saying that what it made was there before is not to be relied on. */
const RESENT_MAX = 3

/** A file of this run that a manifest is about to name, and how long it is at least. */
type Written = Pick<LogPosition & { file: string }, 'file' | 'bytes'>

/** The first of a manifest. */
interface Line {
  readonly number: number
  readonly bytes: Buffer
}

export class Ownership {
  manifest: Manifest
  readonly #storage: Storage
  readonly #failpoint: Failpoint
  #turn: Promise<void> = Promise.resolve()
  /** The highest number that we tried to publish under. Above that of `manifest`: it may be there. */
  #tried = 0
  /** The highest number under which one of ours did not read back. Nothing refers to it. */
  #spoiled = 0
  /** The same while it stands there: whoever comes is behind it. 0 once it was seen that somebody removed it. */
  #standing = 0
  /** Numbers under which the storage said that we made one, since the last that was published, each with a mark of that making. */
  readonly #made = new Map<number, symbol>()
  /** The first line of the last that was published, so that the newest needs not be encoded again. */
  #line: Line | undefined
  /** The number that this writer came with. */
  readonly #first: number

  constructor(storage: Storage, failpoint: Failpoint, manifest: Manifest) {
    this.#storage = storage
    this.#failpoint = failpoint
    this.manifest = manifest
    this.#first = manifest.number
  }

  /**
   * Publishes what `plan` makes of the newest manifest, unless that is undefined, where that manifest is still there: in an older copy that stands in the
   * store's place it would name what was never in it. @throws TIDEMARK_FENCED, TIDEMARK_STORAGE
   */
  publish(plan: (manifest: Manifest) => Manifest | undefined): Promise<void> {
    return this.#inTurn(async () => {
      const there = await this.#look()
      await this.#publish(this.#storage, plan, there)
    })
  }

  /**
   * The same for upkeep, through a storage of its own, and then removes manifests that nobody needs. These may be many, and no roll waits for it: a
   * manifest that comes meanwhile keeps nothing that the published one does not, but for later ones. `end` and `written`: as for
   * `checkPlace`, which comes behind the look for a rival.
   */
  async publishBeside(
    storage: Storage,
    plan: (manifest: Manifest) => Manifest | undefined,
    end: LogPosition,
    written: readonly Written[],
  ): Promise<void> {
    let published = this.manifest
    await this.#inTurn(async () => {
      const there = await this.#look()
      await this.checkPlace(storage, end, written)
      await this.#failpoint('fold.manifest')
      await this.#publish(storage, plan, there)
      published = this.manifest
    })
    await pruneManifests(storage, published, this.#first)
  }

  /**
   * Before a manifest names them: the accepted end of the log, where it is of this run, and new files. Of what was there before, a part may be lost,
   * and the store was opened all the same. @throws TIDEMARK_STORAGE when they are not where the store is
   */
  async checkPlace(storage: Storage, { file, bytes }: LogPosition, written: readonly Written[] = []): Promise<void> {
    const isOwn = file !== null && logNumbers(nameOf(file))?.token === this.manifest.token
    await assertInPlace(storage, isOwn ? [{ file, bytes }, ...written] : written)
  }

  /** Removes manifests that nobody needs, so many at most; failing to is no failure. */
  prune(most: number): Promise<void> {
    return this.#inTurn(() => pruneManifests(this.#storage, this.manifest, this.#first, most))
  }

  /** @throws TIDEMARK_FENCED when another writer has published, TIDEMARK_STORAGE when the directory is not there any more */
  async check(): Promise<void> {
    await this.#look()
  }

  /**
   * For who removes files. One that did not read back may be found whole by whoever opens the store next, and names files that the newest knows
   * nothing of: they stay until there is a later one, and where it was removed by hand, too, as a power cut may bring it back.
   * @throws TIDEMARK_STORAGE while there is none
   */
  async checkForRemoval(): Promise<void> {
    const number = Math.max(await this.checkHere(), this.#spoiled)
    if (number > this.manifest.number) throw spoiled(number)
  }

  /**
   * Before a file is made that no manifest names yet, which a store that stands in our place would keep; gives what `#look` does.
   * @throws TIDEMARK_FENCED, TIDEMARK_STORAGE
   */
  checkHere(): Promise<number> {
    return this.#inTurn(async () => {
      const number = await this.#look()
      await this.#assertOurs(this.#storage)
      return number
    })
  }

  /** The highest number that is there: of the newest manifest, of one of ours that is spoiled, or of one that is undecided. */
  async #look(): Promise<number> {
    // What is missing up to here is a gap in front of one that may be ours.
    let gapEnd = 0
    /** The first that is listed behind all that was found, and was not found itself. */
    let unfound = 0
    for (;;) {
      const before = this.#newest
      let number = Math.max(before, gapEnd)
      gapEnd = 0
      while (this.#newest === before && (await this.#storage.exists(manifestName(number + 1)))) {
        const found = await this.#ownManifest(number + 1).catch(error => {
          // Meanwhile a later one is the newest: the look begins again from there.
          if (this.#newest !== before && hasCode(error, 'TIDEMARK_STORAGE')) return undefined
          throw error
        })
        if (found === undefined) number++
        else this.#advance(found)
      }
      if (this.#newest !== before) continue
      // Where an attempt of ours may have been there, this one may be kept because that one said so: only what there is tells.
      if (this.#tried <= number && number === before && (await this.#storage.exists(manifestName(number)))) return number
      if (this.#newest !== before) continue
      const noted = [...this.#made]
      const numbers = await listManifests(this.#storage)
      const newest = numbers.at(-1) ?? 0
      // The number of one that was removed by hand is free for a rival. Where the directory is away, nothing was removed.
      if (newest >= this.manifest.number)
        for (const [made, mark] of noted) if (!numbers.includes(made) && this.#made.get(made) === mark) this.#made.delete(made)
      // Where it was missing a moment ago, the directory was away, and is back.
      if (newest === number) return number
      if (this.#newest !== before) continue
      if (newest > number) {
        const following = numbers.find(one => one > number) as number
        if (following > this.#tried && newest > number + 1) throw fenced(newest)
        // Those between were removed by hand. Whose this one is, it says itself.
        gapEnd = following - 1
        // It came just now. Or it is a link to what is away, which the list names and nobody finds: reading it says so, and whether it hides others.
        if (unfound === following) {
          const found = await this.#ownManifest(following)
          if (found !== undefined) this.#advance(found)
          else if (following === newest) return newest
          else gapEnd = following
        }
        unfound = following
        continue
      }
      // An attempt that failed has taken back what it left.
      if (newest >= before) continue
      if (newest < this.manifest.number) throw directoryGone(this.manifest.number)
      // The spoiled one was removed by hand. Its number is free for whoever comes: the look begins again from the newest.
      this.#standing = 0
    }
  }

  /** `there`: the highest number that was there a moment ago; what is made stands behind it. */
  async #publish(storage: Storage, plan: (manifest: Manifest) => Manifest | undefined, there: number): Promise<void> {
    await this.#assertOurs(storage)
    let left = Math.max(this.#spoiled, there)
    let planned: Manifest | undefined
    let resent = 0
    let line: Line | undefined
    for (;;) {
      planned ??= plan(this.manifest)
      if (planned === undefined) return
      const next = planned.number > left ? planned : { ...planned, number: left + 1 }
      const again = next.number <= this.#tried
      this.#tried = Math.max(this.#tried, next.number)
      const published = await publish(storage, next, this.#failpoint, bytes => {
        this.#made.set(next.number, Symbol())
        line = { number: next.number, bytes }
      })
      if (published === 'spoiled') {
        this.#spoiled = next.number
        this.#standing = next.number
        throw spoiled(next.number)
      }
      if (published === 'overtaken') throw fenced(next.number + 1)
      if (published === 'ours') {
        this.#advance(next)
        this.#line = line
        this.#made.clear()
        return
      }
      const found = await this.#ownManifest(next.number)
      if (found === undefined) {
        // Somebody came first, and has not ended.
        if (!again && (await this.#storage.exists(manifestName(next.number)))) throw fenced(next.number)
        left = next.number
        planned = undefined
      } else if (encodeManifest(found).equals(encodeManifest(next))) {
        // It was made, and the answer was that it was there. Nobody knows whether it is durable: the same is said once more, behind it.
        if (!again && ++resent === RESENT_MAX) throw spoiled(next.number)
        left = next.number
      } else {
        this.#advance(found)
        planned = undefined
      }
    }
  }

  /** That the newest is where it was. */
  async #assertOurs(storage: Storage): Promise<void> {
    const { number } = this.manifest
    const line = this.#line?.number === number ? this.#line.bytes : firstLine(encodeManifest(this.manifest))
    try {
      await assertStillOurs(storage, number, line)
    } catch (error) {
      // Whoever came meanwhile may have removed it.
      if (isErrno(error, 'ENOENT')) await this.#look()
      throw error
    }
  }

  get #newest(): number {
    return Math.max(this.manifest.number, this.#standing)
  }

  /** A check that began before something was published may know of it later. */
  #advance(manifest: Manifest): void {
    if (manifest.number > this.manifest.number) this.manifest = manifest
  }

  /** One after the other; the failure of one is its own. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.then(
      () => {},
      () => {},
    )
    return turn
  }

  /** The manifest under this number, when it is ours; undefined where that is undecided. @throws TIDEMARK_FENCED, TIDEMARK_STORAGE */
  async #ownManifest(number: number): Promise<Manifest | undefined> {
    let found: Manifest
    try {
      found = await readManifest(this.#storage, number)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') && number <= this.#tried) return undefined
      if (isNotGivenBack(error) && this.#made.has(number)) return undefined
      if (hasCode(error, 'TIDEMARK_STORAGE')) {
        if (await this.#storage.exists(manifestName(number))) throw error
        // What was there a moment ago was removed by whoever came, and left a later one; or the directory was moved away.
        const newest = await newestNumber(this.#storage)
        if (newest === number) throw error
        // It was half an attempt of ours, and was taken back, or was removed by hand: a later one that may be ours is looked at for itself.
        if (newest >= this.#newest && Math.max(newest, number) <= this.#tried) return undefined
        if (newest < number) throw directoryGone(number)
      }
      throw fenced(number)
    }
    if (found.writer !== this.manifest.writer || found.token !== this.manifest.token) throw fenced(number)
    // A store that was made by `copy` names the writer of its source, and has a lineage of its own. No writer begins one.
    if (found.lineage.at(-1)?.id !== this.manifest.lineage.at(-1)?.id) {
      throw notWhereItWas(manifestName(number), 'is that of a copy', { operation: 'read' })
    }
    return found
  }
}

function fenced(number: number): TidemarkError {
  return new TidemarkError('TIDEMARK_FENCED', `another writer has opened this store (manifest ${number})`, {
    hint: 'this process no longer owns the store; end it, or open the store again to take it back',
    info: { number },
  })
}
