/**
 * The writer: takes batches and commits in order, makes epochs durable, and says so.
 *
 * Does: rolls into a new file (first batch after open, after a failure, beyond LOG_FILE_BYTES_MAX), appends, commits, checks the token,
 * acknowledges. Owns: the accepted end, the file being written, which attempt is valid, the upkeep beside it (fold/). Does not own: the newest
 * manifest (ownership.ts), the thread it runs in, the state it writes, when to try again.
 * Invariants: an epoch is acknowledged only after its bytes are synced and read back, the file's name and its manifest are durable, no
 * later manifest was there, and the bytes are under that name; an error leaves the file for good; nothing thrown gets out.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { mostOf } from '../base/extremes.ts'
import { type Failpoint, noFailpoint } from '../base/failpoint.ts'
import { LOG_FILE_BYTES_MAX } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { Folding, FoldingParts } from '../fold/index.ts'
import { type Compress, type LogPosition, logName, logNumbers, type Manifest, openCompress } from '../format/index.ts'
import { LogWriter } from '../log/index.ts'
import { assertInPlace, assertNext, giveUp, roll } from '../manifest/index.ts'
import { Budget, logToll, PacedStorage, proofToll } from '../pace/index.ts'
import { nameOf, type Storage } from '../storage/index.ts'
import { Answer } from './answer.ts'
import type { BatchMessage, CommitMessage, CreditMessage, FromWriter, ToWriter, WriterFacts } from './contract.ts'
import { toErrorData } from './error-data.ts'
import { Inherited } from './inherited.ts'
import { Ownership } from './ownership.ts'
import { Unbroken } from './unbroken.ts'
import { startFolding } from './upkeep.ts'

export interface WriterParts {
  readonly storage: Storage
  readonly send: (message: FromWriter) => void
  readonly monotonic: () => number
  /** For the salt of a file. */
  readonly random: Random
  readonly failpoint?: Failpoint
  /** Default LOG_FILE_BYTES_MAX; tests take less. */
  readonly fileBytesMax?: number
  /** Puts a seal off until the writer is idle; without one it follows each commit at once. */
  readonly scheduler?: Scheduler
  /** Hands over messages that have come and were not given to `receive`, where there is such a thing. */
  readonly look?: () => void
  /** Upkeep needs it; its storage should have calls that do not hold the thread. */
  readonly upkeep?: Pick<FoldingParts, 'storage' | 'scheduler' | 'sliceMs'>
}

/** Manifests that a roll removes, which adds one: where there are many, as after a trim, upkeep does it, and no commit waits. */
const PRUNED_BY_ROLL = 2
/** Nothing came for this long: the last commit gets its seal. */
const SEAL_IDLE_MS = 500

type State = 'open' | 'failed' | 'fenced' | 'closed'

/** 'stranger': another writer has come. */
type Message = Exclude<ToWriter, { type: 'ending' }> | { readonly type: 'idle' } | { readonly type: 'stranger'; readonly error: unknown }

export class Writer {
  readonly #parts: WriterParts
  readonly #failpoint: Failpoint
  readonly #storage: Storage
  /** What the log and upkeep share. */
  readonly #budget: Budget
  readonly #compression: WriterFacts['compression']
  readonly #queue: Message[] = []
  /** That an attempt failed, or that it is over: whoever is not told of it waits for ever. */
  readonly #answer: Answer<FromWriter>
  readonly #unbroken: Unbroken
  #compress: Compress | undefined
  #working = false
  #state: State = 'open'
  #attempt: number | undefined
  readonly #ownership: Ownership
  #end: LogPosition
  #sequence: number
  #log: LogWriter | undefined
  #rolled = false
  /** An attempt failed, and may have left a file in the log that no manifest names. */
  #littered = false
  #catalogue: Manifest['catalogue'] = null
  readonly #inherited: Inherited
  #sealDue = false
  #sealTimer: Cancel | undefined
  readonly #folding: Folding | undefined
  #abandoned = false

  constructor(facts: WriterFacts, parts: WriterParts) {
    this.#parts = parts
    this.#failpoint = parts.failpoint ?? noFailpoint
    this.#compression = facts.compression
    const { monotonic, look } = parts
    const scheduler = parts.scheduler ?? parts.upkeep?.scheduler
    const bytesPerSecondMax = facts.ioBytesPerSecondMax ?? Number.POSITIVE_INFINITY
    this.#answer = new Answer(parts.send, scheduler)
    this.#unbroken = new Unbroken(monotonic, scheduler)
    this.#budget = new Budget({ monotonic, scheduler, bytesPerSecondMax, ...(look === undefined ? {} : { look }) })
    this.#storage = new PacedStorage(parts.storage, logToll(this.#budget), monotonic)
    this.#ownership = new Ownership(this.#storage, this.#failpoint, facts.manifest)
    this.#end = facts.acceptedEnd
    this.#sequence = mostOf(facts.manifest.log, ({ file }) => logNumbers(nameOf(file))?.sequence ?? 0, 0)
    this.#inherited = new Inherited(new PacedStorage(parts.storage, proofToll(this.#budget), monotonic), this.#failpoint, facts)
    this.#folding = startFolding(facts, parts, {
      failpoint: this.#failpoint,
      budget: this.#budget,
      manifest: () => this.#ownership.manifest,
      end: () => this.#end,
      inherited: () => this.#inherited.prove(),
      compress: async () => (this.#compress ??= await openCompress(this.#compression)),
      publish: (storage, plan, written) => this.#beside(() => this.#ownership.publishBeside(storage, plan, this.#end, written)),
      check: () => this.#beside(() => this.#ownership.checkForRemoval()),
      inUse: file => file === logName(this.#ownership.manifest.token, this.#sequence),
    })
  }

  /** Takes a message; everything happens later, in order, but for what changes the pace. */
  receive(message: ToWriter): void {
    if (message.type === 'commit') this.#budget.commitArrived()
    if (message.type === 'ending') this.#budget.beginEnding()
    else this.#enqueue(message)
  }

  /** Log and upkeep end where they are, as a crash leaves them: nobody listens any more. */
  abandon(): void {
    this.#abandoned = true
    this.#queue.length = 0
    this.#sealTimer?.()
    this.#answer.drop()
    this.#budget.stopLog()
    void this.#folding?.stop()
    if (!this.#working) void this.#leave()
  }

  #enqueue(message: Message): void {
    if (this.#abandoned) return
    this.#queue.push(message)
    if (this.#working) return
    this.#working = true
    void this.#work()
  }

  async #work(): Promise<void> {
    await Promise.resolve()
    this.#unbroken.begin()
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      if (this.#unbroken.isLong(this.#budget.commitWaits)) await this.#unbroken.giveTurn()
      if (this.#abandoned) break
      try {
        await this.#take(message)
      } catch (error) {
        if (!this.#abandoned) await this.#fail('attempt' in message ? message.attempt : (this.#attempt ?? 0), error)
      }
    }
    this.#working = false
    if (this.#abandoned) await this.#leave()
  }

  async #take(message: Message): Promise<void> {
    switch (message.type) {
      case 'stranger':
        throw message.error
      case 'batch':
        return await this.#batch(message)
      case 'commit':
        return await this.#commit(message)
      case 'upkeep-level':
        return this.#folding?.setLevel(message.level, message.ms)
      case 'fold':
        return this.#folding?.ask()
      case 'reset':
        if (this.#state === 'open' && this.#log?.atBoundary === false) await this.#giveUp()
        if (this.#state === 'failed') this.#state = 'open'
        this.#attempt = message.attempt
        return
      case 'idle':
        return await this.#sealIfDue()
      case 'close':
        return await this.#close()
    }
  }

  #valid(message: BatchMessage | CommitMessage): boolean {
    this.#attempt ??= message.attempt
    return this.#state === 'open' && message.attempt === this.#attempt
  }

  async #batch(message: BatchMessage): Promise<void> {
    const { attempt, bytes, records } = message
    let took: CreditMessage['took']
    try {
      this.#sealDue = false
      if (this.#valid(message)) took = await (await this.#ready()).block(bytes, records)
    } finally {
      this.#send({ type: 'credit', attempt, bytes: bytes.length, took })
    }
  }

  async #commit(message: CommitMessage): Promise<void> {
    const { attempt, epoch, timeMs, bytes, records, catalogue, refused } = message
    const begin = this.#parts.monotonic()
    let credited = bytes.length === 0
    const credit = (): void => {
      if (!credited) this.#send({ type: 'credit', attempt, bytes: bytes.length })
      credited = true
    }
    this.#budget.commitBegins()
    try {
      if (!this.#valid(message)) return
      const log = await this.#ready()
      const result = await log.commit({ epoch, timeMs, catalogue, refused }, bytes, records)
      await this.#failpoint('commit.token-check')
      await this.#ownership.check()
      await assertInPlace(this.#storage, [{ file: log.file, bytes: log.length }])
      await this.#failpoint('commit.acknowledge')
      credit()
      const totalMs = this.#parts.monotonic() - begin
      const rolled = this.#rolled
      this.#rolled = false
      this.#send({ type: 'committed', attempt, epoch, ...result, fileBytes: log.length, rolled, totalMs })
      // Behind both answers: of what cannot be posted, for want of memory, nobody is told, and the epoch comes again.
      this.#end = result.position
      this.#catalogue = { epoch, collections: catalogue }
      this.#folding?.committed(result.rawBytes, result.records, catalogue)
      await this.#sealSoon(log)
    } finally {
      this.#budget.commitEnded()
      credit()
    }
  }

  /**
   * The next epoch's frames prove that this one was whole, so a seal is due only when none follows soon: a busy store writes none, and a
   * checkpoint costs one append.
   */
  async #sealSoon(log: LogWriter): Promise<void> {
    const { scheduler } = this.#parts
    this.#sealDue = true
    if (scheduler === undefined) return await this.#sealOrLeave(log)
    this.#sealTimer?.()
    this.#sealTimer = scheduler.after(SEAL_IDLE_MS, () => {
      this.#sealTimer = undefined
      if (this.#queue.length === 0 && !this.#working) this.#enqueue({ type: 'idle' })
    })
  }

  async #sealIfDue(): Promise<void> {
    if (this.#sealDue && this.#log?.atBoundary === true) await this.#sealOrLeave(this.#log)
  }

  /** The epoch is acknowledged: what goes wrong from here on only costs the file. */
  async #sealOrLeave(log: LogWriter): Promise<void> {
    try {
      this.#sealDue = false
      await this.#failpoint('commit.seal')
      // The commit may owe the ceiling seconds: neither a close nor upkeep waits for these.
      this.#budget.sealing = true
      await log.seal()
      await this.#failpoint('commit.end')
    } catch {
      await this.#leave()
    } finally {
      this.#budget.sealing = false
    }
  }

  /** The file to write to. */
  async #ready(): Promise<LogWriter> {
    this.#compress ??= await openCompress(this.#compression)
    const full = this.#log !== undefined && this.#log.length >= (this.#parts.fileBytesMax ?? LOG_FILE_BYTES_MAX)
    if (full && this.#log?.atBoundary === true) await this.#leave()
    this.#log ??= await this.#roll(this.#compress)
    return this.#log
  }

  async #roll(compress: Compress): Promise<LogWriter> {
    assertNext(this.#ownership.manifest)
    await this.#ownership.checkHere()
    await this.#inherited.prove()
    const { monotonic, random } = this.#parts
    const { storeId, token } = this.#ownership.manifest
    const sequence = ++this.#sequence
    const base = this.#end
    const failpoint = this.#failpoint
    const log = await LogWriter.create({
      ...{ storage: this.#storage, storeId, token, sequence, base, compress, monotonic, failpoint },
      salt: random.bytes(4).readUInt32LE(),
      commitWaits: () => this.#budget.commitWaits,
    })
    try {
      await failpoint('roll.manifest')
      await this.#ownership.checkPlace(this.#storage, this.#end, [{ file: log.file, bytes: log.length }])
      await this.#ownership.publish(manifest => roll(manifest, base, logName(token, sequence), this.#catalogue))
    } catch (error) {
      await log.close().catch(() => {})
      throw error
    }
    this.#rolled = true
    await failpoint('roll.end')
    await this.#ownership.prune(PRUNED_BY_ROLL)
    // The file of the last attempt was in use until now.
    if (this.#littered) this.#folding?.littered()
    this.#littered = false
    return log
  }

  /** For upkeep, beside the log: no commit waits for it. A failure is the job's; only another writer's coming ends us. */
  async #beside(run: () => Promise<void>): Promise<void> {
    try {
      if (this.#abandoned || this.#state === 'fenced' || this.#state === 'closed') throw closed()
      await run()
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_FENCED')) this.#enqueue({ type: 'stranger', error })
      throw error
    }
  }

  async #fail(attempt: number, failure: unknown): Promise<void> {
    let error = failure
    if (hasCode(error, 'TIDEMARK_FENCED')) await this.#leave()
    else error = (await this.#giveUp()) ?? failure
    const data = toErrorData(error)
    const isFenced = hasCode(error, 'TIDEMARK_FENCED')
    // What else is thrown, as where memory is short, has this code only as data: that may go well another time.
    const isBroken = hasCode(error, 'TIDEMARK_BUG')
    // It would write into a store that is another's, or that is not what we take it for.
    if (isFenced || isBroken) void this.#folding?.stop()
    if (this.#state === 'fenced' || this.#state === 'closed') return
    // Without a number no later try goes better.
    const fatal = isBroken || data.code === 'TIDEMARK_FAILED' || data.code === 'TIDEMARK_NUMBERS_SPENT'
    const isTold = this.#state === 'failed' && this.#answer.waits
    this.#state = isFenced ? 'fenced' : 'failed'
    // One that waits to be posted says as much.
    if (isTold && !isFenced && !fatal) return
    this.#answer.post(isFenced ? { type: 'fenced', error: data } : { type: 'failed', attempt, error: data, fatal })
  }

  /**
   * Leaves a file with an epoch that failed. Where its commit is whole in the file it is not known whether it is on the device, yet whoever
   * opens the store next would build upon it: so a manifest says at once that the file ends before it. Then, or where no reader would take
   * the tail for committed, the space is given back. Where there is no file yet, only the check is left. All of it as far as the storage lets us;
   * gives the error when we are fenced.
   */
  async #giveUp(): Promise<unknown> {
    const log = this.#log
    await this.#leave()
    this.#littered = true
    this.#folding?.littered()
    try {
      // What we were to go on from may be missing because a rival has collected it.
      if (log === undefined) {
        await this.#ownership.check()
        return undefined
      }
      await this.#failpoint('fail.give-up')
      if (await log.tailCounts(this.#end)) {
        await this.#ownership.checkPlace(this.#storage, this.#end)
        await this.#ownership.publish(manifest => giveUp(manifest, this.#end))
      }
      await this.#failpoint('fail.truncate')
      await this.#ownership.check()
      await log.truncateTail(this.#end)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_FENCED')) return error
      // The next roll says where the file ends; the space comes back when it is collected.
    }
    return undefined
  }

  async #leave(): Promise<void> {
    const log = this.#log
    this.#log = undefined
    this.#sealDue = false
    await log?.close().catch(() => {})
  }

  async #close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#sealTimer?.()
    // Not behind a fold or a merge, which may hang.
    await this.#sealIfDue()
    await this.#folding?.finish()
    try {
      await this.#failpoint('close.sync')
      await this.#log?.sync()
    } catch {
      // It is for the seal alone, and nothing was promised about that.
    }
    await this.#leave()
    this.#state = 'closed'
    this.#answer.post({ type: 'closed' })
  }

  #send(message: FromWriter): void {
    this.#parts.send(message)
  }
}

const closed = (): TidemarkError => new TidemarkError('TIDEMARK_CLOSED', 'the writer has ended')
