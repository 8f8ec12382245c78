/**
 * Making durable what another run left in a log file: after a kill it may be in the page cache only, and whoever builds upon it would build
 * on nothing after a power cut. Owns nothing.
 */
import { TidemarkError } from '../base/errors.ts'
import type { Storage } from '../storage/index.ts'

/**
 * @throws TIDEMARK_FAILED when the sync fails: nobody can tell then what is on the device, and a second sync would prove nothing; the storage's
 * error when the file cannot be opened, which says nothing about its bytes
 */
export async function syncLog(storage: Storage, file: string): Promise<void> {
  const handle = await storage.open(file, 'append')
  try {
    await handle.sync()
  } catch (cause) {
    throw new TidemarkError('TIDEMARK_FAILED', `the log of the last run could not be synced: ${(cause as Error).message}`, {
      cause,
      file,
      hint: 'check the device, then open the store again',
    })
  } finally {
    await handle.close().catch(() => {})
  }
}
