/** Brings a whole state home in a process that does nothing else, or makes one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadEngine } from '../engines/index.ts'
import { assignment, deliver, sleep } from '../harness/child.ts'
import { GcWatch } from '../harness/gc.ts'
import { calmMsOf, commit, FOLDED_RECORDS, fill, untilAtRest } from '../harness/upkeep.ts'
import { makePlayer, type Player, playerKey } from '../workload/players.ts'
import type { HydrationAssignment, HydrationResult } from './contract.ts'

const { folder, keys, role } = assignment<HydrationAssignment>()
/** Behind the fold point when the process ended. */
const TAIL_KEYS = FOLDED_RECORDS - 2768
/** Asked for afterwards, so that nobody is faster for having nothing. */
const CHECKED = 1000

await deliver(async (): Promise<HydrationResult> => {
  if (role === 'fill-tidemark') await fillStore()
  else if (role === 'fill-json') await fillEngine('json-snapshot', false)
  else if (role === 'fill-jsonl') await fillEngine('jsonl-db', true)
  else return await bringHome(await preparedFor(role))
  return { ms: 0, gc: new GcWatch().summary(), heapBytes: 0, rssBytes: 0 }
})

async function fillStore(): Promise<void> {
  const { open } = await import('tidemark')
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const players = store.map<Player>('players')
  const put = (index: number): void => void players.set(playerKey(index), makePlayer(index, 0))
  await untilAtRest(store, await fill(store, keys, put), calmMsOf(keys))
  for (let at = 0; at < Math.min(TAIL_KEYS, keys); at++) put((at * 31) % keys)
  await commit(store)
}

async function fillEngine(name: string, close: boolean): Promise<void> {
  const engine = await (await loadEngine(name)).open<Player>(folder)
  for (let index = 0; index < keys; index++) engine.set(playerKey(index), makePlayer(index, 0))
  await engine.checkpoint()
  // One that was not closed waits for a lock to grow old, which is not what is measured.
  if (close) await engine.close()
}

type Loaded = (key: string) => Player | undefined

/** With the modules loaded; what it gives does the rest. */
async function preparedFor(how: typeof role): Promise<() => Promise<Loaded>> {
  if (how === 'json') {
    return async () => {
      const map = new Map<string, Player>(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')))
      return key => map.get(key)
    }
  }
  if (how === 'jsonl') {
    const kind = await loadEngine('jsonl-db')
    return async () => {
      const engine = await kind.open<Player>(folder)
      return key => engine.get(key)
    }
  }
  const { open } = await import('tidemark')
  return async () => {
    const store = await open(folder, { restore: { hydrate: how === 'eager' ? 'eager' : 'background' } })
    const players = store.map<Player>('players')
    await store.hydrated()
    return key => players.get(key)
  }
}

async function bringHome(load: () => Promise<Loaded>): Promise<HydrationResult> {
  await sleep(200)
  const before = process.memoryUsage()
  const gc = new GcWatch()
  const begin = performance.now()
  const get = await load()
  const ms = performance.now() - begin
  await sleep(20)
  gc.stop()
  const after = process.memoryUsage()
  for (let at = 0; at < CHECKED; at++) {
    const index = (at * 7919 + 13) % keys
    if (get(playerKey(index))?.id !== index) throw new Error(`${role}: player ${index} is not what was stored`)
  }
  return { ms, gc: gc.summary(), heapBytes: after.heapUsed - before.heapUsed, rssBytes: after.rss - before.rss }
}
