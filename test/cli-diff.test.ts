/** What diff writes: each change as it is found, of the entries no more than the keys that were added. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultCodec, type Key } from 'tidemark'
import { differences } from '../src/tools/look.ts'
import type { Contents, Entries } from '../src/tools/stores.ts'

const MANY = 1_000_000
const TIDE = { kind: 'map', codec: 'tide1' } as const

/** Keys come in their order, and `counted` is told of each. */
function map(name: string, keys: readonly Key[], values: unknown, counted = (): void => {}): Entries {
  return {
    ...TIDE,
    name,
    size: keys.length,
    has: key => keys.includes(key),
    get: () => values,
    keys: () => keys,
    *scan() {
      for (const key of keys) {
        counted()
        yield [key, values]
      }
    },
  }
}

function contents(...entries: Entries[]): Pick<Contents, keyof Contents> {
  return {
    names: entries.map(({ name }) => name),
    has: asked => entries.some(({ name }) => name === asked),
    entriesOf: asked => entries.find(({ name }) => name === asked) as Entries,
  }
}

test('diff says what was removed or changed as it reads it, however much there is', async () => {
  const codec = await defaultCodec()
  const keys = Array.from({ length: MANY }, (_, at) => at)
  for (const after of [contents(), contents(map('map', keys, 2))]) {
    for (const json of [false, true]) {
      let read = 0
      const found: string[] = []
      for (const piece of differences(contents(map('map', keys, 1, () => read++)), after, codec, json)) {
        if (found.push(piece) === 5) break
      }
      assert.ok(read <= 5, `${read}`)
      assert.match(found.at(-1) as string, json ? /^,\{"change":"(removed|changed)","key":2\}$/ : /^ {2}[-*] 3\n$/)
    }
  }
})

test('diff says the same for people and for programs', async () => {
  const codec = await defaultCodec()
  const before = contents(map('gone', [1], 1), map('map', ['a', 'b', 'd'], 1), map('same', ['a'], 1))
  const after = contents(map('map', ['b', 'c', 'd'], 2), { ...map('new', [], 1), codec: 'json' }, map('same', ['a'], 1))
  assert.equal(
    [...differences(before, after, codec, false)].join(''),
    '- "gone"\n  - 1\n  "map"\n  - "a"\n  * "b"\n  * "d"\n  + "c"\n+ "new"\n',
  )
  const json = [
    { collection: 'gone', change: 'removed', keys: [{ change: 'removed', key: 1 }] },
    {
      collection: 'map',
      change: 'changed',
      keys: [
        { change: 'removed', key: 'a' },
        { change: 'changed', key: 'b' },
        { change: 'changed', key: 'd' },
        { change: 'added', key: 'c' },
      ],
    },
    { collection: 'new', change: 'added', keys: [] },
  ]
  assert.equal([...differences(before, after, codec, true)].join(''), `${JSON.stringify(json)}\n`)
  const other = contents({ ...map('map', [], 1), codec: 'json' })
  const made = { collection: 'map', change: 'changed', from: TIDE, to: { kind: 'map', codec: 'json' }, keys: [] }
  assert.equal([...differences(contents(map('map', [], 1)), other, codec, true)].join(''), `${JSON.stringify([made])}\n`)
  assert.equal([...differences(before, before, codec, true)].join(''), '[]\n')
  assert.equal([...differences(before, before, codec, false)].join(''), '')
})
