import type { EngineKind } from './contract.ts'

export type { Engine, EngineKind, EngineOptions } from './contract.ts'

/** Loaded one at a time: what an engine imports must not weigh on another's process. */
const ENGINES: Readonly<Record<string, () => Promise<EngineKind>>> = {
  plain: async () => (await import('./plain.ts')).plain,
  'json-snapshot': async () => (await import('./json-snapshot.ts')).jsonSnapshot,
  'dirty-set': async () => (await import('./dirty-set.ts')).dirtySet,
  'lmdb-map': async () => (await import('./lmdb-map.ts')).lmdbMap,
  'jsonl-db': async () => (await import('./jsonl-db.ts')).jsonlDb,
  'level-map': async () => (await import('./level-map.ts')).levelMap,
  'sqlite-map': async () => (await import('./sqlite-map.ts')).sqliteMap,
  tidemark: async () => (await import('./tidemark.ts')).tidemark,
}

export function checkEngine(name: string): void {
  if (!Object.hasOwn(ENGINES, name)) throw new Error(`no engine '${name}'; there are ${Object.keys(ENGINES).join(', ')}`)
}

export async function loadEngine(name: string): Promise<EngineKind> {
  checkEngine(name)
  return (ENGINES[name] as () => Promise<EngineKind>)()
}
