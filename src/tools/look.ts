/** The verbs that tell about a store and write nothing, but for show: status, log, diff, verify. Own no state; safe beside a living writer. */
import {
  type Codec,
  defaultCodec,
  type Key,
  type LostEpochs,
  type RecoveryPoint,
  recoveryPoints,
  TidemarkError,
  type UnlistedEpochs,
  verify,
} from 'tidemark'
import { writePieces } from './output.ts'
import { keyText } from './show.ts'
import { Contents, type Entries, reading } from './stores.ts'
import { epochOf, problemText, type Verb } from './usage.ts'
import { say } from './values.ts'

const time = (ms: number): string => (ms === 0 ? '-' : new Date(ms).toISOString())
const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`
const entriesText = (count: number): string => plural(count, 'entry', 'entries')
const lostText = ({ firstLostEpoch, lastLostEpoch, message }: LostEpochs): string =>
  `note        epochs ${firstLostEpoch} to ${lastLostEpoch} cannot be restored: ${message}`

/** Each of them can be restored; nothing but its number says so. */
const unlistedText = ({ firstEpoch, lastEpoch, epochs }: UnlistedEpochs): string =>
  `note        ${plural(epochs, 'epoch', 'epochs')} of ${firstEpoch} to ${lastEpoch} can be restored, and ${epochs === 1 ? 'is' : 'are'} not listed`

/** How many epochs can be restored, listed or not, and the bytes that they take in the log. */
export function totalsOf(points: readonly Pick<RecoveryPoint, 'bytes' | 'unlisted'>[]): {
  readonly epochs: number
  readonly bytes: number
} {
  let [epochs, bytes] = [0, 0]
  for (const point of points) {
    epochs += 1 + (point.unlisted?.epochs ?? 0)
    bytes += point.bytes + (point.unlisted?.bytes ?? 0)
  }
  return { epochs, bytes }
}

/** Where the newest epoch is read all the same, no point behind what is lost says so. */
function lostBehind(points: readonly RecoveryPoint[], epoch: number): string[] {
  const last = points[0]?.epoch ?? epoch
  return last < epoch ? [`epochs ${last + 1} to ${epoch} cannot be restored: tidemark verify names what is damaged`] : []
}

export const status: Verb = {
  usage: 'status <dir> [--json]',
  what: 'newest epoch, collections, segments and log',
  positionals: [1, 1],
  run: ({ positionals: [directory] }) => {
    const told = reading(directory as string, undefined, async store => {
      const { restored, collections, upkeep } = store.stats()
      const points = await store.recoveryPoints()
      const lost = points.flatMap(point => point.lost ?? [])
      const notes = [...restored.notes, ...lostBehind(points, restored.epoch)]
      const { epochs, bytes: logBytes } = totalsOf(points)
      const { foldedEpoch, segments, segmentBytes } = upkeep
      const byName = Object.entries(collections).sort(([one], [other]) => (one < other ? -1 : 1))
      const found = byName.map(([name, { kind, codec, entries }]) => ({ name, kind, codec, entries }))
      return {
        json: {
          directory: store.directory,
          epoch: restored.epoch,
          time: restored.timeMs,
          lineage: points[0]?.lineage,
          entries: restored.entries,
          collections: found,
          segments,
          segmentBytes,
          foldedEpoch,
          logBytes,
          recoveryPoints: epochs,
          lost,
          notes,
        },
        text: [
          `epoch       ${restored.epoch}  ${time(restored.timeMs)}`,
          ...(points[0] === undefined ? [] : [`lineage     ${points[0].lineage}`]),
          `entries     ${restored.entries}`,
          `segments    ${segments}, ${segmentBytes} bytes, up to epoch ${foldedEpoch}`,
          `log         ${logBytes} bytes, ${plural(epochs, 'recovery point', 'recovery points')}`,
          ...found.map(({ name, kind, codec, entries }) => `${kind.padEnd(11)} ${JSON.stringify(name)}  ${entriesText(entries)}  ${codec}`),
          ...notes.map(note => `note        ${note}`),
          ...lost.map(lostText),
        ],
      }
    })
    return told.catch(error => namingLog(directory as string, error))
  },
}

/** @throws that error, with a hint at what lists the points that are left where there are any */
async function namingLog(directory: string, error: unknown): Promise<never> {
  if (!(error instanceof TidemarkError) || (error.kind !== 'damage' && error.code !== 'TIDEMARK_STORAGE')) throw error
  const points = await recoveryPoints(directory).catch(() => [])
  if (points.length === 0) throw error
  const { code, message, file, info, hint } = error
  const where = 'tidemark log lists what can be restored'
  throw new TidemarkError(code, message, {
    cause: error,
    hint: hint === undefined ? where : `${hint}; ${where}`,
    ...(file === undefined ? {} : { file }),
    ...(info === undefined ? {} : { info }),
  })
}

export const log: Verb = {
  usage: 'log <dir> [--json]',
  what: 'recovery points, newest first, and the lineages they are of',
  positionals: [1, 1],
  run: async ({ positionals: [directory], flags }) => {
    // First: a living writer may have committed more by the time of the list.
    const newest = await newestOf(directory as string)
    const points = await recoveryPoints(directory as string)
    const fails = newest instanceof TidemarkError
    if (fails && points.length === 0) throw newest
    // The list holds, and is alone on the output.
    if (fails) process.stderr.write(problemText('error', newest, flags['json'] === true))
    const notes = fails ? [`the newest state does not open: ${newest.message} (${newest.code})`] : lostBehind(points, newest)
    return {
      json: points,
      text: [
        ...notes.map(note => `note        ${note}`),
        ...points.flatMap(({ epoch, time: ms, lineage, bytes, entries, lagging, lost, unlisted }, at) => [
          ...(lineage === points[at - 1]?.lineage ? [] : [`lineage ${lineage}`]),
          [
            `${epoch}  ${time(ms)}  ${bytes} bytes  ${entriesText(entries)}`,
            ...lagging.map(({ collection, epoch: asOf }) => `${JSON.stringify(collection)} as of ${asOf}`),
          ].join('  '),
          ...(unlisted === undefined ? [] : [unlistedText(unlisted)]),
          ...(lost === undefined ? [] : [lostText(lost)]),
        ]),
      ],
    }
  },
}

/** The epoch that an open gives, or what is wrong where it rejects: older points may be whole. */
async function newestOf(directory: string): Promise<number | TidemarkError> {
  try {
    return await reading(directory, undefined, store => store.stats().restored.epoch)
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  }
}

export const diff: Verb = {
  usage: 'diff <dir> A B [--json]',
  what: 'what changed from epoch A to epoch B',
  positionals: [3, 3],
  run: async ({ positionals: [directory, a, b], flags }) => {
    const [from, to] = [epochOf(a), epochOf(b)]
    const codec = await defaultCodec()
    await reading(directory as string, from, older =>
      reading(directory as string, to, newer =>
        writePieces(differences(new Contents(older), new Contents(newer), codec, flags['json'] === true)),
      ),
    )
    return undefined
  },
}

/** The output of diff, each change as it is found. As JSON what JSON.stringify would write, were all of them in a list. */
export function* differences(before: Pick<Contents, keyof Contents>, after: typeof before, codec: Codec, json: boolean): Generator<string> {
  if (json) yield '['
  let count = 0
  for (const name of [...new Set([...before.names, ...after.names])].sort()) {
    const one = before.has(name) ? before.entriesOf(name) : undefined
    const other = after.has(name) ? after.entriesOf(name) : undefined
    const change: Change['change'] = one === undefined ? 'added' : other === undefined ? 'removed' : 'changed'
    const made = one === undefined || other === undefined || isAlike(one, other) ? undefined : { from: madeOf(one), to: madeOf(other) }
    const changes = compare(codec, one, other)
    let next = changes.next()
    if (change === 'changed' && next.done === true && made === undefined) continue
    if (json) yield `${count === 0 ? '' : ','}${JSON.stringify({ collection: name, change, ...made }).slice(0, -1)},"keys":[`
    else {
      const sign = change === 'changed' ? ' ' : SIGNS[change]
      yield `${sign} ${JSON.stringify(name)}${made === undefined ? '' : `  ${madeText(made.from)} -> ${madeText(made.to)}`}\n`
    }
    for (let keys = 0; next.done !== true; keys++) {
      const { change: sign, key } = next.value
      if (json) yield `${keys === 0 ? '' : ','}${JSON.stringify({ change: sign, key: say(codec, key) })}`
      else yield `  ${SIGNS[sign]} ${keyText(key)}\n`
      next = changes.next()
    }
    if (json) yield ']}'
    count++
  }
  if (json) yield ']\n'
}

interface Change {
  readonly change: 'added' | 'removed' | 'changed'
  readonly key: Key
}

const SIGNS = { added: '+', removed: '-', changed: '*' } as const

type Made = Pick<Entries, 'kind' | 'codec'>
const madeOf = ({ kind, codec }: Made): Made => ({ kind, codec })
const madeText = ({ kind, codec }: Made): string => `${kind} ${codec}`
const isAlike = (one: Made, other: Made): boolean => one.kind === other.kind && one.codec === other.codec

/**
 * Walks both at once: entries of a store that is only read come in the order of their keys, and of them only the keys that were added are kept, which
 * come last. Values are the same when their bytes are: no other comparison knows all that is stored, such as the order of keys.
 */
function* compare(codec: Codec, older: Entries | undefined, newer: Entries | undefined): Generator<Change, void> {
  const added: Key[] = []
  const comparable = older !== undefined && newer !== undefined && isAlike(older, newer)
  const before = (older?.scan() ?? [])[Symbol.iterator]()
  const after = (newer?.scan() ?? [])[Symbol.iterator]()
  let one = before.next()
  let other = after.next()
  while (one.done !== true || other.done !== true) {
    if (one.done !== true && other.done !== true && Object.is(one.value[0], other.value[0])) {
      const [key, value] = one.value
      const isSame = comparable && Buffer.compare(codec.encode(value), codec.encode(other.value[1])) === 0
      if (!isSame) yield { change: 'changed', key }
      one = before.next()
      other = after.next()
    } else if (one.done !== true && newer?.has(one.value[0]) !== true) {
      yield { change: 'removed', key: one.value[0] }
      one = before.next()
    } else if (other.done !== true && older?.has(other.value[0]) !== true) {
      added.push(other.value[0])
      other = after.next()
    } else throw new Error('entries out of order')
  }
  for (const key of added) yield { change: 'added', key }
}

export const check: Verb = {
  usage: 'verify <dir> [--json]',
  what: 'reads every byte the store stands on; status 1 when anything is damaged',
  positionals: [1, 1],
  run: async ({ positionals: [directory] }) => {
    const { ok, epoch, files, notes } = await verify(directory as string)
    const damaged = files.filter(({ problem }) => problem !== undefined)
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    return {
      ok,
      json: { ok, epoch, files, notes },
      text: [
        ...damaged.map(({ file, problem }) => `damaged: ${file}: ${problem}`),
        ...notes.map(note => `note: ${note}`),
        ok
          ? `whole: ${plural(files.length, 'file', 'files')}, ${bytes} bytes, up to epoch ${epoch}`
          : `${plural(damaged.length, 'file is', 'files are')} damaged of ${files.length}`,
      ],
    }
  },
}
