/** Checkpoints of one changed key each, between two marks that a trace of system calls shows. */
import { accessSync } from 'node:fs'
import { open } from 'tidemark'
import { assignment, deliver, sleep } from '../harness/child.ts'
import { median } from '../harness/stats.ts'
import { makePlayer, type Player, playerKeys } from '../workload/players.ts'
import type { OneKeyAssignment, OneKeyResult } from './contract.ts'

const job = assignment<OneKeyAssignment>()

function mark(name: string): void {
  try {
    accessSync(name)
  } catch {
    // It is the call that counts: no such file exists.
  }
}

await deliver(async (): Promise<OneKeyResult> => {
  const store = await open(job.folder, { checkpoint: { intervalMs: 0 } })
  const players = store.map<Player>('players')
  const keys = playerKeys(job.keys)
  for (let at = 0; at < keys.length; at++) players.set(keys[at] as string, makePlayer(at, 0))
  await store.checkpoint()
  const once = async (version: number): Promise<number> => {
    players.set(keys[version % keys.length] as string, makePlayer(version % keys.length, version))
    const begin = performance.now()
    await store.checkpoint()
    return performance.now() - begin
  }
  for (let version = 1; version <= 20; version++) await once(version)
  await sleep(50)
  const ms: number[] = []
  mark(job.begin)
  for (let version = 100; version < 100 + job.checkpoints; version++) ms.push(await once(version))
  mark(job.end)
  return { ms: median(ms) }
})
