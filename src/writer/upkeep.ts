/** Upkeep beside a writer: how it is begun, and what the main thread is told of it. Owns what who follows was sent last, and what could not be sent. */
import { TidemarkError } from '../base/errors.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import type { Scheduler } from '../base/scheduler.ts'
import { Folding, type FoldingParts, type FoldNews } from '../fold/index.ts'
import { foldedIn, LOG_FOLDER, type Manifest } from '../format/index.ts'
import { namedChange } from '../manifest/index.ts'
import { isNotGivenBack } from '../storage/index.ts'
import { AGAIN_MS } from './answer.ts'
import type { UpkeepMessage, WriterFacts } from './contract.ts'
import { toErrorData } from './error-data.ts'
import type { WriterParts } from './writer.ts'

/** `own`: what of the writer it needs. Undefined: nobody asked for it. */
export function startFolding(
  facts: WriterFacts,
  { upkeep, monotonic, random, send }: WriterParts,
  own: Pick<FoldingParts, 'failpoint' | 'budget' | 'manifest' | 'end' | 'inherited' | 'compress' | 'publish' | 'check' | 'inUse'>,
): Folding | undefined {
  if (facts.upkeep === undefined || upkeep === undefined) return undefined
  const { retention, tail, catalogue, follow, thresholds } = facts.upkeep
  const { manifest, budget } = own
  const report = reporterOf({ manifest, follow, written: () => budget.written.upkeep, send, scheduler: upkeep.scheduler })
  const parts = { ...upkeep, ...own, monotonic, random, retention, report, ...(thresholds === undefined ? {} : { thresholds }) }
  const folding = new Folding(parts, tail)
  folding.start(catalogue)
  return folding
}

/** Of news that could not be sent, and what came behind them meanwhile, no more than so many are kept: who has no memory keeps little. */
const KEPT_MAX = 64

export interface ReporterParts {
  readonly manifest: () => Manifest
  /** What the manifest names is sent, as it differs from what was sent last, whatever the news: following it takes time in proportion to the segments. */
  readonly follow: boolean
  /** Bytes, by upkeep so far. */
  readonly written: () => number
  readonly send: (message: UpkeepMessage) => void
  readonly scheduler: Pick<Scheduler, 'after'>
}

/** For want of memory a message may not be sent: no job fails by that, and it is sent later, for behind it there may be none for long. */
export function reporterOf({ manifest: newest, follow, written, send, scheduler }: ReporterParts): (news: FoldNews) => void {
  let sent: Manifest | undefined
  let changes = 0
  let told = 0
  let isWaiting = false
  const left: FoldNews[] = []
  const post = (news: FoldNews): boolean => {
    const manifest = newest()
    const { young, base, fold } = manifest
    // A list that is another may hold the same, which does no harm.
    const isNews = young !== sent?.young || base !== sent.base || fold?.epoch !== sent.fold?.epoch
    const allBytes = written() - told
    const named = follow && isNews ? namedChange(changes + 1, sent, manifest) : undefined
    try {
      send({ ...upkeepMessage(news, manifest), ...(named === undefined ? {} : { named }), allBytes })
    } catch (error) {
      if (isAllocationFailure(error)) return false
      throw error
    }
    if (named !== undefined) {
      sent = manifest
      changes++
    }
    told += allBytes
    return true
  }
  const tell = (): void => {
    while (left.length > 0) {
      const news = left.shift() as FoldNews
      if (post(news)) continue
      left.unshift(news)
      if (left.length > KEPT_MAX) left.splice(leastIn(left), 1)
      if (isWaiting) return
      isWaiting = true
      scheduler.after(AGAIN_MS, () => {
        isWaiting = false
        tell()
      })
      return
    }
  }
  return news => {
    left.push(news)
    tell()
  }
}

/** The oldest that may go: what is told of a state stays, or a later word on it. */
function leastIn(left: readonly FoldNews[]): number {
  const isOver = ({ type }: FoldNews, at: number): boolean => {
    return type === 'collected' || type === 'merged' || type === 'failed' || left.slice(at + 1).some(later => later.type === type)
  }
  return Math.max(0, left.findIndex(isOver))
}

function upkeepMessage(news: FoldNews, manifest: Manifest): Omit<UpkeepMessage, 'allBytes'> {
  return {
    type: 'upkeep',
    did: news.type,
    ...foldedIn(manifest),
    bytesWritten: 'bytesWritten' in news ? news.bytesWritten : 0,
    ms: 'ms' in news ? news.ms : 0,
    files: news.type === 'collected' ? news.files : 0,
    ...(news.type === 'behind' ? { behind: { ms: news.ms, rawBytes: news.rawBytes, records: news.records } } : {}),
    ...(news.type === 'failed' ? { error: toErrorData(news.error), unread: news.of === 'fold' && isLogUnread(news.error) } : {}),
  }
}

/** Of a fold that failed: not for want of room, say, nor in writing again what was left there, which leaves the log to the next restart as it is. */
function isLogUnread(error: unknown): boolean {
  if (!(error instanceof TidemarkError) || error.file?.startsWith(`${LOG_FOLDER}/`) !== true) return false
  return error.kind === 'damage' || (isNotGivenBack(error) && error.info?.['operation'] !== 'overwrite')
}
