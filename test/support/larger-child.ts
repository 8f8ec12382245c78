/**
 * A process of its own, started with --expose-gc, whose heap is looked at: fills, reads, walks and changes a collection several times larger
 * than what it may take, or opens it again. Answers with the heap it used, beyond what the process used before.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { open, type Store } from 'tidemark'

export interface LargerPlan {
  readonly folder: string
  readonly role: 'fill' | 'again' | 'unbounded'
  readonly entries: number
  readonly memoryBytesMax: number
}

export interface LargerReport {
  /** Bytes after a collection, by what was done before. */
  readonly heap: Readonly<Record<string, number>>
  readonly estimated: Readonly<Record<string, number>>
  readonly evicted: number
}

interface Session {
  readonly id: number
  readonly user: string
  round: number
  readonly at: number
  readonly tags: readonly string[]
  readonly place: { readonly x: number; readonly y: number }
}

const plan = JSON.parse(process.argv[2] as string) as LargerPlan
const { entries } = plan
const heap: Record<string, number> = {}
const estimated: Record<string, number> = {}

function session(id: number, round: number): Session {
  return { id, user: `user number ${id}`, round, at: 1_700_000_000_000 + id, tags: [`a${id}`, `b${id}`], place: { x: id / 3, y: -id / 7 } }
}

const key = (id: number): string => `session/${id}`

function assertRight(found: Session | undefined, id: number, round: number): void {
  if (JSON.stringify(found) !== JSON.stringify(session(id, round))) throw new Error(`${id}: ${JSON.stringify(found)}, round ${round}`)
}

function used(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Until the bound is kept, nothing more leaves, and the weak references of what left are gone; a minute at most. */
async function atRest(store: Store, what: string): Promise<void> {
  let said = ''
  // Seldom, for a collection is most of what a look takes.
  for (let calm = 0, looks = 0; calm < 3 && looks < 200; calm++, looks++) {
    await setTimeout(300)
    globalThis.gc?.()
    const { memory } = store.stats()
    const now = JSON.stringify([memory?.evicted, memory?.held, store.stats().upkeep.folds])
    // What is not folded yet stays, and a fold is asked for once in two seconds.
    if (now !== said || (memory !== undefined && memory.liveBytes > plan.memoryBytesMax)) calm = 0
    said = now
  }
  heap[what] = used() - before
  estimated[what] = store.stats().memory?.liveBytes ?? 0
}

const warm = session(1, 1)
assertRight(warm, 1, 1)
const hydrate = plan.role === 'unbounded' ? 'background' : 'on-demand'
const store = await open(plan.folder, {
  checkpoint: { intervalMs: 200 },
  restore: { hydrate },
  ...(plan.role === 'unbounded' ? {} : { budget: { memoryBytesMax: plan.memoryBytesMax } }),
})
const map = store.map<Session, string>('sessions')
await store.hydrated()
await setTimeout(200)
const before = used()
const pause = async (id: number): Promise<void> => void (id % 500 === 499 && (await setImmediate()))

if (plan.role !== 'again') {
  for (let id = 0; id < entries; id++) {
    map.set(key(id), session(id, 0))
    await pause(id)
  }
  await store.durable()
  await atRest(store, 'filled')
}
if (plan.role === 'fill') {
  for (let id = 0; id < entries; id++) {
    assertRight(map.get(key(id)), id, 0)
    await pause(id)
  }
  await atRest(store, 'read')
  let seen = 0
  for (const [name, value] of map) {
    if (name !== key(value.id)) throw new Error(`${name} holds ${value.id}`)
    assertRight(value, value.id, 0)
    await pause(seen++)
  }
  if (seen !== entries) throw new Error(`a walk gave ${seen}`)
  await atRest(store, 'walked')
  for (let id = 0; id < entries; id += 2) {
    map.update(key(id), value => void value.round++)
    await pause(id / 2)
  }
  await store.durable()
  await atRest(store, 'changed')
}
if (plan.role === 'again') {
  if (map.size !== entries) throw new Error(`${map.size} entries`)
  for (let n = 0; n < entries; n++) {
    const id = (n * 7919) % entries
    assertRight(map.get(key(id)), id, id % 2 === 0 ? 1 : 0)
    await pause(n)
  }
  await atRest(store, 'read again')
}
const report: LargerReport = { heap, estimated, evicted: store.stats().memory?.evicted ?? 0 }
await store.close()
process.stdout.write(`${JSON.stringify(report)}\n`)
