/** Upkeep beside a writer: how it is begun, and what the main thread is told of it. Owns nothing. */
import { TidemarkError } from '../base/errors.ts'
import { Folding, type FoldingParts, type FoldNews } from '../fold/index.ts'
import { LOG_FOLDER, type Manifest } from '../format/index.ts'
import { isErrno } from '../storage/index.ts'
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
  const report = (news: FoldNews): void => send(upkeepMessage(news, own.manifest(), follow))
  const parts = { ...upkeep, ...own, monotonic, random, retention, report, ...(thresholds === undefined ? {} : { thresholds }) }
  const folding = new Folding(parts, tail)
  folding.start(catalogue)
  return folding
}

function upkeepMessage(news: FoldNews, manifest: Manifest, follow: boolean): UpkeepMessage {
  const segments = [...manifest.young, ...manifest.base.flatMap(range => range.segment ?? [])]
  return {
    type: 'upkeep',
    did: news.type,
    foldedEpoch: manifest.fold?.epoch ?? 0,
    segments: segments.length,
    segmentBytes: segments.reduce((sum, entry) => sum + entry.bytes, 0),
    bytesWritten: 'bytesWritten' in news ? news.bytesWritten : 0,
    ms: 'ms' in news ? news.ms : 0,
    files: news.type === 'collected' ? news.files : 0,
    ...(news.type === 'behind' ? { behind: { ms: news.ms, rawBytes: news.rawBytes, records: news.records } } : {}),
    ...(news.type === 'failed' ? { error: toErrorData(news.error), unread: news.of === 'fold' && isLogUnread(news.error) } : {}),
    ...(follow ? { manifest } : {}),
  }
}

/** Of a fold that failed: not for want of room, say, which leaves the log to the next restart as it is. */
function isLogUnread(error: unknown): boolean {
  if (!(error instanceof TidemarkError) || error.file?.startsWith(`${LOG_FOLDER}/`) !== true) return false
  return error.kind === 'damage' || isErrno(error, 'EIO')
}
