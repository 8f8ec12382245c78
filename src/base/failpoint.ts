/**
 * Called between the steps of every write, so that a test can stop the engine there. Does nothing outside tests.
 * Invariant: `name` is one of FAILPOINTS, and every one of FAILPOINTS is called somewhere.
 */
export type Failpoint = (name: FailpointName) => Promise<void>

export const FAILPOINTS = [
  'block.append',
  'block.sync',
  'commit.append',
  'commit.sync',
  'commit.read-back',
  'commit.token-check',
  'commit.acknowledge',
  'commit.seal',
  'commit.end',
  'roll.sync-old',
  'roll.create',
  'roll.header',
  'roll.sync',
  'roll.sync-folder',
  'roll.manifest',
  'roll.end',
  'manifest.create',
  'manifest.sync-folder',
  'manifest.durable',
  'open.folders',
  'open.takeover',
  'open.scan',
  'fail.truncate',
  'close.sync',
] as const

export type FailpointName = (typeof FAILPOINTS)[number]

export const noFailpoint: Failpoint = () => Promise.resolve()
