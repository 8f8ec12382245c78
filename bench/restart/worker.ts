/** Fills a store and ends as a crash does, or opens one and asks for what is in it. */
import { assignment, deliver } from '../harness/child.ts'
import type { RestartAssignment, RestartResult } from './contract.ts'

const { folder, role, keys } = assignment<RestartAssignment>()
const KEYS_PER_TURN = 2000
/** Just below what is folded: the longest tail that a restart meets in ordinary running. */
const TAIL_KEYS = 30_000
const COLD_GETS = 2000
const WAIT_MS = 250
const NOTHING: RestartResult = { openMs: 0, firstGetMs: 0, coldGetUs: { p50: 0, p99: 0 }, rssBytes: 0, tail: 0 }

const value = (key: number, round: number) => ({
  id: key,
  user: `user-${key}`,
  round,
  score: (key * 7) % 1000,
  at: 1_700_000_000_000 + key,
})

await deliver(async () => (role === 'fill' ? await fill() : await open()))

async function fill(): Promise<RestartResult> {
  const tidemark = await import('tidemark')
  const store = await tidemark.open(folder)
  const sessions = store.map<object, number>('sessions')
  for (let key = 0; key < keys; key++) {
    sessions.set(key, value(key, 1))
    if (key % KEYS_PER_TURN === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await store.checkpoint({ timeoutMs: 600_000 })
  // Until upkeep has come to rest, as it does in a store that has run for a while.
  for (let calm = 0, last = ''; keys > TAIL_KEYS && calm < 12; ) {
    await new Promise(resolve => setTimeout(resolve, WAIT_MS))
    const now = JSON.stringify(store.stats().upkeep)
    calm = now === last && store.stats().upkeep.foldedEpoch > 0 ? calm + 1 : 0
    last = now
  }
  for (let at = 0; at < Math.min(TAIL_KEYS, keys); at++) sessions.set((at * 31) % keys, value((at * 31) % keys, 2))
  await store.checkpoint({ timeoutMs: 600_000 })
  return NOTHING
}

async function open(): Promise<RestartResult> {
  const tidemark = await import('tidemark')
  const rss = process.memoryUsage().rss
  const begin = performance.now()
  const store = await tidemark.open(folder, { restore: { hydrate: 'on-demand' } })
  const openMs = performance.now() - begin
  const sessions = store.map<{ id: number }, number>('sessions')
  const asked = Math.floor(keys / 3)
  const found = sessions.get(asked)
  const firstGetMs = performance.now() - begin
  if (keys > 0 && (found?.id !== asked || sessions.size !== keys)) throw new Error('the restart brought back something else')
  await store.hydrated()
  const times: number[] = []
  for (let at = 0; keys > 0 && at < COLD_GETS; at++) {
    const key = (at * 7919 + 13) % keys
    const start = performance.now()
    const one = sessions.get(key)
    times.push((performance.now() - start) * 1000)
    if (one?.id !== key) throw new Error(`key ${key} came back wrong`)
  }
  times.sort((a, b) => a - b)
  const coldGetUs = { p50: times[times.length >> 1] ?? 0, p99: times[Math.floor(times.length * 0.99)] ?? 0 }
  return { openMs, firstGetMs, coldGetUs, rssBytes: process.memoryUsage().rss - rss, tail: store.restored.records }
}
