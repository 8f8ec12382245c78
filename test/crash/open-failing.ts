/**
 * `open`, with the failpoint that the environment names, if any, and with upkeep in small measures: so that a short life folds, merges and
 * collects.
 */
import type { Settings, Store } from 'tidemark'
import { failpointOf } from '../../src/base/failpoint.ts'
import { openStore } from '../../src/open.ts'

const SMALL = {
  bytes: 3000,
  records: 1000,
  fanIn: 2,
  fewTimes: 0.5,
  smallestBytes: 3000,
  youngBytesMax: 20_000,
  slackBytes: 3000,
  slackRecords: 20,
  baseBytes: 6000,
  graceMs: 20,
  paced: false,
}

export async function openFailing(directory: string, settings: Settings = {}): Promise<Store> {
  const setting = process.env['TIDEMARK_FAILPOINT']
  const failpoint = setting === undefined ? {} : { testing: true, failpoint: failpointOf(setting, 'open') }
  return await openStore(directory, settings, { ...failpoint, thresholds: SMALL })
}
