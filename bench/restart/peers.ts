/**
 * Other ways to have the same state back after a restart, each behind its own `get`. `fill` leaves what an unclean end leaves; `open` gives
 * the `get` of a new process.
 */
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { jsonSnapshot } from '../engines/json-snapshot.ts'
import { redis } from './redis.ts'
import { makeSession, roundsOf, type Session, tailOf } from './state.ts'

export type Get = (id: number) => Session | undefined | Promise<Session | undefined>

export interface Peer {
  /** Makes the state durable as this way does it; nothing is closed afterwards. */
  fill(folder: string, keys: number): Promise<void>
  open(folder: string): Promise<Get>
}

const BATCH_KEYS = 20_000

const lmdb: Peer = {
  async fill(folder, keys) {
    const database = await openLmdb(folder)
    for (let id = 0; id < keys; id++) {
      const done = database.put(id, makeSession(id, 1))
      if (id % BATCH_KEYS === BATCH_KEYS - 1) await done
    }
    for (const id of tailOf(keys)) database.put(id, makeSession(id, 2))
    await database.flushed
  },
  async open(folder) {
    const database = await openLmdb(folder)
    return id => database.get(id)
  },
}

async function openLmdb(folder: string) {
  const { open } = await import('lmdb')
  return open<Session, number>({ path: join(folder, 'lmdb'), sharedStructuresKey: Symbol.for('structures') })
}

const json: Peer = {
  async fill(folder, keys) {
    const engine = await jsonSnapshot.open<Session>(folder)
    roundsOf(keys).forEach((round, id) => {
      engine.set(String(id), makeSession(id, round))
    })
    await engine.checkpoint()
  },
  async open(folder) {
    const map = new Map<string, Session>(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')))
    return id => map.get(String(id))
  },
}

const classicLevel: Peer = {
  async fill(folder, keys) {
    const database = await openLevel(folder)
    for (let begin = 0; begin < keys; begin += BATCH_KEYS) {
      const ids = Array.from({ length: Math.min(BATCH_KEYS, keys - begin) }, (_, at) => begin + at)
      await database.batch(ids.map(id => ({ type: 'put', key: String(id), value: makeSession(id, 1) })))
    }
    await database.batch(
      [...tailOf(keys)].map(id => ({ type: 'put', key: String(id), value: makeSession(id, 2) })),
      { sync: true },
    )
  },
  async open(folder) {
    const database = await openLevel(folder)
    return id => database.getSync(String(id))
  },
}

async function openLevel(folder: string) {
  const { ClassicLevel } = await import('classic-level')
  const database = new ClassicLevel<string, Session>(join(folder, 'level'), { valueEncoding: 'json' })
  await database.open()
  return database
}

const PEERS: Readonly<Record<string, () => Peer>> = {
  lmdb: () => lmdb,
  'json-snapshot': () => json,
  'classic-level': () => classicLevel,
  redis: () => redis,
}

/** In this order beside the engine. */
export const PEER_NAMES: readonly string[] = Object.keys(PEERS)

/** V8's longest string is 512 MiB less a few bytes, and a session takes some 85 of JSON. */
const JSON_KEYS_MAX = 6_000_000

/** Why this one cannot be measured here with so many keys; undefined: it can. */
export function unavailable(name: string, keys: number): string | undefined {
  if (name === 'json-snapshot' && keys > JSON_KEYS_MAX) return "not possible: longer than V8's longest string"
  if (name !== 'redis') return undefined
  const there = (process.env['PATH'] ?? '').split(delimiter).some(folder => folder !== '' && existsSync(join(folder, 'redis-server')))
  return there ? undefined : 'not here: no redis-server on PATH'
}

export async function loadPeer(name: string): Promise<Peer> {
  const peer = PEERS[name]
  if (peer === undefined) throw new Error(`no peer '${name}'; there are ${PEER_NAMES.join(', ')}`)
  return peer()
}
