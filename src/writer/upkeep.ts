/** What upkeep did, as the main thread is told. Owns nothing. */
import type { FoldNews } from '../fold/index.ts'
import type { Manifest } from '../format/index.ts'
import type { UpkeepMessage } from './contract.ts'
import { toErrorData } from './error-data.ts'

export function upkeepMessage(news: FoldNews, manifest: Manifest, follow: boolean): UpkeepMessage {
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
    ...(news.type === 'failed' ? { error: toErrorData(news.error) } : {}),
    ...(follow ? { manifest } : {}),
  }
}
