/**
 * The verbs that take a store or an epoch of it elsewhere: restore, copy, export.
 * Own no state. Invariants: a copy is whole or no store; nothing is opened for writing before what is asked for was read whole; no recovery
 * point is dropped but those that a restore gives up; an export has its last line only when it is whole, and no line when there is nothing to read.
 */
import { type Codec, copy as copyStore, defaultCodec, open, type Store, TidemarkError } from 'tidemark'
import { BEGIN_LINE, emptyLine, endLine, entryLine } from './lines.ts'
import { writePieces } from './output.ts'
import { PAST } from './past.ts'
import { Contents, openToRead, reading } from './stores.ts'
import { assertDirectory, epochOf, LOCK_OPTION, lockOf, UsageError, type Verb } from './usage.ts'

export const restore: Verb = {
  usage: 'restore <dir> --to EPOCH [--no-lock] [--json]',
  what: 'makes the store go on from an earlier epoch, once that was read whole; what came after it is given up',
  positionals: [1, 1],
  options: { to: { type: 'string' }, ...LOCK_OPTION },
  run: async ({ positionals: [directory], flags }) => {
    const epoch = epochOf(flags['to'])
    if (epoch === undefined) throw new UsageError('restore needs --to EPOCH', 'tidemark log <dir> lists the epochs')
    // An opening for writing makes a store where none is, and takes one over; and nobody comes back from a point of which a part is damaged.
    await reading(directory as string, epoch, readWhole)
    const store = await open(directory as string, {
      restore: { at: epoch, hydrate: 'on-demand' },
      checkpoint: { intervalMs: 0 },
      retention: PAST,
      lock: lockOf(flags),
    })
    await store.close()
    return { json: { epoch }, text: [`the store goes on from epoch ${epoch}`] }
  },
}

/** @throws what is wrong with the first part that cannot be read */
function readWhole(store: Store): void {
  const contents = new Contents(store)
  for (const name of contents.names) for (const _ of contents.entriesOf(name).scan());
}

export const copy: Verb = {
  usage: 'copy <dir> <target> [--no-lock] [--json]',
  what: 'copies the newest recovery point into a new store; the target is missing or empty',
  positionals: [2, 2],
  options: LOCK_OPTION,
  run: async ({ positionals: [directory, target], flags }) => {
    assertDirectory(target as string)
    await refuseUsed(target as string)
    const { epoch, entries, files, bytes } = await copyStore(directory as string, target as string, { lock: lockOf(flags) })
    return { json: { epoch, entries, files, bytes, target }, text: [`${entries} entries of epoch ${epoch} are in ${target}`] }
  },
}

async function refuseUsed(target: string): Promise<void> {
  let store: Store
  try {
    store = await openToRead(target)
  } catch (error) {
    // Whatever else is there, the copy itself refuses, or knows for one that was cut short. Damage told here would seem to be the source's.
    if (error instanceof TidemarkError) return
    throw error
  }
  const { epoch } = store.stats().restored
  await store.close()
  throw new UsageError(`${target} holds a store, at epoch ${epoch}`, 'give a directory that is missing or empty', 1)
}

export const exportLines: Verb = {
  usage: 'export <dir> [--collection NAME] [--at EPOCH]',
  what: 'writes a line of JSON for each entry, and a first and a last one by which import knows that it is whole',
  positionals: [1, 1],
  options: { collection: { type: 'string' }, at: { type: 'string' } },
  run: async ({ positionals: [directory], flags }) => {
    const codec = await defaultCodec()
    const asked = flags['collection']
    await reading(directory as string, epochOf(flags['at']), store => {
      const contents = new Contents(store)
      return writePieces(exported(contents, asked === undefined ? contents.names : [String(asked)], codec))
    })
    return undefined
  },
}

/** By lines. */
function* exported(contents: Contents, names: readonly string[], codec: Codec): Generator<string> {
  yield BEGIN_LINE
  let total = 0
  for (const name of names) {
    const entries = contents.entriesOf(name)
    let count = 0
    for (const [key, value] of entries.scan()) {
      yield entryLine(codec, entries, key, value)
      count++
    }
    if (count === 0) yield emptyLine(entries)
    total += count
  }
  yield endLine(total)
}
