/** Fills a store and ends as a crash does, or opens one and asks for what is in it. */
import { assignment, deliver, turn } from '../harness/child.ts'
import { percentile } from '../harness/stats.ts'
import { calmMsOf, commit, fill, untilAtRest } from '../harness/upkeep.ts'
import type { RestartAssignment, RestartResult } from './contract.ts'
import { loadPeer } from './peers.ts'
import { makeSession, roundsOf, type Session, tailOf } from './state.ts'

const { engine, folder, role, keys, tail: tailKeys } = assignment<RestartAssignment>()
/** V8 compiles during the first of them. */
const COLD_GETS = 10_000
const FIRST_GETS = 2000
/** Keys of the tail that are looked at when all is measured: few of those that are asked for are in it. */
const TAIL_LOOKS = 1000
const NONE = { p50: 0, p99: 0 }
const NOTHING: RestartResult = { openMs: 0, firstGetMs: 0, coldGetUs: NONE, firstColdGetUs: NONE, rssBytes: 0, tail: 0 }

await deliver(async () => {
  if (engine !== 'tidemark') return role === 'fill' ? await fillPeer() : await openPeer()
  return role === 'fill' ? await fillStore() : await openStore()
})

async function fillStore(): Promise<RestartResult> {
  const tidemark = await import('tidemark')
  const store = await tidemark.open(folder, { checkpoint: { intervalMs: 0 } })
  const sessions = store.map<Session, number>('sessions')
  const folded = await fill(store, keys, id => sessions.set(id, makeSession(id, 1)))
  await untilAtRest(store, folded, calmMsOf(keys))
  // In one commit, and the process ends behind it: no fold that it brings gets to its manifest.
  for (const id of tailOf(keys, tailKeys)) sessions.set(id, makeSession(id, 2))
  await commit(store)
  return NOTHING
}

async function openStore(): Promise<RestartResult> {
  const tidemark = await import('tidemark')
  // Made before memory is looked at.
  const rounds = roundsOf(keys, tailKeys)
  const right = (id: number, found: Session | undefined): boolean => found?.id === id && found.round === rounds[id]
  const rss = process.memoryUsage().rss
  const begin = performance.now()
  const store = await tidemark.open(folder, { restore: { hydrate: 'on-demand' } })
  const openMs = performance.now() - begin
  const sessions = store.map<Session, number>('sessions')
  const asked = Math.floor(keys / 3)
  const found = sessions.get(asked)
  const firstGetMs = performance.now() - begin
  if (keys > 0 && (!right(asked, found) || sessions.size !== keys)) throw new Error('the restart brought back something else')
  await store.hydrated()
  const times: number[] = []
  for (let at = 0; keys > 0 && at < COLD_GETS; at++) {
    const key = (at * 7919 + 13) % keys
    const start = performance.now()
    const one = sessions.get(key)
    times.push((performance.now() - start) * 1000)
    if (!right(key, one)) throw new Error(`key ${key} came back wrong`)
  }
  const of = (some: readonly number[]): RestartResult['coldGetUs'] =>
    some.length > 0 ? { p50: percentile(some, 50), p99: percentile(some, 99) } : NONE
  const [coldGetUs, firstColdGetUs] = [of(times), of(times.slice(0, FIRST_GETS))]
  const rssBytes = process.memoryUsage().rss - rss
  const tail = [...tailOf(keys, tailKeys)]
  for (let at = 0; at < tail.length; at += Math.ceil(tail.length / TAIL_LOOKS)) {
    const id = tail[at] as number
    if (!right(id, sessions.get(id))) throw new Error(`key ${id} came back without its last change`)
  }
  return { openMs, firstGetMs, coldGetUs, firstColdGetUs, rssBytes, tail: store.restored.records }
}

async function fillPeer(): Promise<RestartResult> {
  const peer = await loadPeer(engine)
  await peer.fill(folder, keys)
  return NOTHING
}

async function openPeer(): Promise<RestartResult> {
  const peer = await loadPeer(engine)
  await turn()
  const rss = process.memoryUsage().rss
  const begin = performance.now()
  const get = await peer.open(folder)
  const openMs = performance.now() - begin
  const asked = Math.floor(keys / 3)
  const found = await get(asked)
  const firstGetMs = performance.now() - begin
  if (found?.id !== asked) throw new Error('the restart brought back something else')
  const tail = tailOf(keys).next().value ?? 0
  if ((await get(tail))?.round !== 2) throw new Error('the restart brought back something older')
  return { ...NOTHING, openMs, firstGetMs, rssBytes: process.memoryUsage().rss - rss }
}
