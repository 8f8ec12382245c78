/** Keys that no collection takes: each gets a typed error that names the collection, and harms nothing else; those at the bounds are taken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'
import { unharmed } from './unharmed.ts'

const BAD_KEYS: readonly (readonly [string, unknown])[] = [
  ['an object', { id: 1 }],
  ['null', null],
  ['undefined', undefined],
  ['a boolean', true],
  ['a symbol', Symbol('key')],
  ['a function', () => 1],
  ['an array', [1]],
  ['a Date', new Date(0)],
  ['a proxy that was revoked', revoked()],
]

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

test('keys of other types are refused, naming the collection', t =>
  unharmed(t, async store => {
    const map = store.map<unknown, never>('keyed')
    for (const [, key] of BAD_KEYS) {
      await failsWith('TIDEMARK_KEY', () => map.set(key as never, 1), { collection: 'keyed' })
      assert.equal(map.has(key as never), false)
    }
    assert.equal(map.size, 0)
  }))

/** The longest that an encoding of 65,536 bytes holds: a byte in front of text, six in front of the bytes of a bigint. */
const BIGINT_BITS_MAX = 8n * 65_530n
const LONGEST_KEYS = [
  'k'.repeat(65_535),
  `${'ü'.repeat(32_767)}k`,
  `${'\ud800'.repeat(21_845)}`,
  (1n << BIGINT_BITS_MAX) - 1n,
  1n - (1n << BIGINT_BITS_MAX),
  1n << 4096n,
]

test('over-long keys are refused, and none that is within the bound', t =>
  unharmed(t, async store => {
    const map = store.map<unknown, string | bigint>('keyed')
    for (const key of ['k'.repeat(65_536), 'ü'.repeat(32_768), 'é'.repeat(40_000), 1n << BIGINT_BITS_MAX, -(1n << BIGINT_BITS_MAX)]) {
      await failsWith('TIDEMARK_KEY', () => map.set(key, 1), { collection: 'keyed' })
    }
    for (const key of LONGEST_KEYS) map.set(key, 1)
    assert.equal(map.size, LONGEST_KEYS.length)
  }))

test('the longest keys come back from the log and from what is folded', async t => {
  const folder = temporaryFolder(t)
  for (let run = 0; run < 3; run++) {
    const store = await open(folder, { checkpoint: { intervalMs: 0 } })
    const map = store.map<number, string | bigint>('keyed')
    if (run > 0) for (const [index, key] of LONGEST_KEYS.entries()) assert.equal(map.get(key), index)
    for (const [index, key] of LONGEST_KEYS.entries()) map.set(key, index)
    for (let index = 0; index < 3000; index++) map.set(`${run} ${index} ${'x'.repeat(1000)}`, index)
    assert.deepEqual((await store.checkpoint()).refused, [])
    await store.close()
  }
  const store = await open(folder)
  assert.deepEqual(new Set(store.map<number, string | bigint>('keyed').keys()).size, LONGEST_KEYS.length + 9000)
  await store.close()
})

test('a bad key inside a transaction rolls it back and harms nothing', t =>
  unharmed(t, async store => {
    const map = store.map<unknown, never>('keyed')
    map.set('good' as never, { n: 1 })
    for (const [what, key] of BAD_KEYS) {
      await failsWith(
        'TIDEMARK_KEY',
        () =>
          store.transaction(() => {
            map.update('good' as never, value => void ((value as { n: number }).n = 2))
            map.set(key as never, 1)
          }),
        { collection: 'keyed' },
      )
      assert.deepEqual([...map], [['good', { n: 1 }]], what)
      await store.checkpoint()
    }
  }))

test('a bad key beside a running capture', t =>
  unharmed(t, async store => {
    const map = store.map<unknown, never>('keyed')
    for (let at = 0; at < 5000; at++) map.set(`key ${at}` as never, { at })
    const point = store.checkpoint()
    for (const [, key] of BAD_KEYS) await failsWith('TIDEMARK_KEY', () => map.set(key as never, 1), { collection: 'keyed' })
    await point
    await store.checkpoint()
    assert.equal(map.size, 5000)
  }))
