/** `open`, with the failpoint that the environment names; without one it is the public `open`. */
import { open, type Settings, type Store } from 'tidemark'
import { failpointOf } from '../../src/base/failpoint.ts'
import { openStore } from '../../src/open.ts'

export async function openFailing(directory: string, settings: Settings = {}): Promise<Store> {
  const setting = process.env['TIDEMARK_FAILPOINT']
  if (setting === undefined) return await open(directory, settings)
  return await openStore(directory, settings, { testing: true, failpoint: failpointOf(setting, 'open') })
}
