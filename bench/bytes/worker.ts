/** The same updates for every engine, counted and not timed. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { loadEngine } from '../engines/index.ts'
import { assignment, deliver, turn } from '../harness/child.ts'
import { folderSize } from '../harness/files.ts'
import { makeOperations } from '../workload/operations.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { BytesAssignment, BytesResult } from './contract.ts'

const job = assignment<BytesAssignment>()

await deliver(async (): Promise<BytesResult> => {
  const keys = playerKeys(job.keys)
  const { keyIndex, count } = makeOperations({ keys: job.keys, count: job.checkpoints * job.updatesEach, theta: job.theta, reads: 0 })
  const engine = await (await loadEngine(job.engine)).open<Player>(job.folder)
  for (let at = 0; at < keys.length; ) {
    for (const end = Math.min(keys.length, at + 5000); at < end; at++) engine.set(keys[at] as string, makePlayer(at, 0))
    await turn()
  }
  await engine.checkpoint()
  // The first change makes some engines begin a file; that belongs to no single checkpoint.
  engine.set(keys[0] as string, makePlayer(0, 1))
  await engine.checkpoint()
  // What is folded from the log has bounds of its own (upkeep); a log lies an hour before it is collected.
  const log = join(job.folder, 'log')
  const written = (): number => folderSize(existsSync(log) ? log : job.folder).bytes
  const before = { all: folderSize(job.folder).bytes, written: written() }
  const versions = new Uint32Array(keys.length)
  versions[0] = 1
  let changed = 0
  for (let from = 0; from < count; from += job.updatesEach) {
    for (let at = from; at < from + job.updatesEach; at++) {
      const index = keyIndex[at] as number
      versions[index] = (versions[index] as number) + 1
      engine.set(keys[index] as string, makePlayer(index, versions[index] as number))
    }
    changed += new Set(keyIndex.subarray(from, from + job.updatesEach)).size
    await engine.checkpoint()
  }
  const after = { all: folderSize(job.folder).bytes, written: written() }
  await engine.close()
  const check = job.engine === 'tidemark' ? await checked(keys, versions) : undefined
  return { loaded: before.all, added: after.written - before.written, addedAll: after.all - before.all, changed, check }
})

/** Opens what it left behind. The others only append, and read nothing back. */
async function checked(keys: readonly string[], versions: Uint32Array): Promise<BytesResult['check']> {
  const engine = await (await loadEngine(job.engine)).open<Player>(job.folder)
  await engine.hydrated?.()
  const differ = (index: number, version: number): boolean =>
    !isDeepStrictEqual(engine.get(keys[index] as string), makePlayer(index, version))
  let differences = 0
  for (let index = 0; index < keys.length; index++) if (differ(index, versions[index] as number)) differences++
  const planted = differ(0, (versions[0] as number) + 1) ? 1 : 0
  await engine.close()
  return { differences, planted }
}
