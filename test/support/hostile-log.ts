/** A log file written anew, as a writer that is not in its right mind would: every checksum and the chain hold. */
import { COMPRESSION_NONE, type Compress, countRecords, logNumbers } from '../../src/format/index.ts'
import { LogScan, LogWriter } from '../../src/log/index.ts'
import { openForReading } from '../../src/restore/index.ts'
import { nameOf, type Storage } from '../../src/storage/index.ts'

const plain: Compress = raw => ({ id: COMPRESSION_NONE, payload: raw })

/** Of a store that is closed, with its epochs all in one file; `at`: where the blocks of `epoch` stand. */
export async function rewriteEpoch(storage: Storage, epoch: number, compress: Compress): Promise<{ file: string; at: readonly number[] }> {
  const { storeId, log } = (await openForReading(storage)).manifest
  const items = []
  for await (const item of new LogScan({ storage, storeId, log })) items.push(item)
  const file = log[0]?.file as string
  const { token, sequence } = logNumbers(nameOf(file)) as { token: number; sequence: number }
  await storage.remove(file)
  let under = 0
  const writer = await LogWriter.create({
    ...{ storage, storeId, token, sequence, base: { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }, salt: 1 },
    ...{ compress: raw => (under === epoch ? compress(raw) : plain(raw)), monotonic: () => 0, failpoint: async () => {} },
    commitWaits: () => false,
  })
  const at: number[] = []
  for (const item of items) {
    under = item.commit.epoch
    if (item.type === 'block') {
      if (under === epoch) at.push(writer.length)
      await writer.block(item.bytes, countRecords(item.bytes))
    } else await writer.commit(item.commit, Buffer.alloc(0), 0)
  }
  await writer.seal()
  await writer.close()
  return { file, at }
}
