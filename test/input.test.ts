/** Bad input to open and to calls: each gets a typed error with a code and a hint, names what it is about, and harms nothing else. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { copy, explain, open, profile, type Settings, type TidemarkError, verify } from 'tidemark'
import { directoryError, storageError, systemError } from '../src/storage/index.ts'
import { failsWith, temporaryFolder } from './temporary.ts'
import { unharmed } from './unharmed.ts'

const loose = (settings: unknown): Settings => settings as Settings

test('unknown settings and wrong types are refused by name, and nothing is made', async t => {
  const folder = join(temporaryFolder(t), 'new')
  const cases: readonly (readonly [unknown, string])[] = [
    [{ checkpoints: {} }, 'checkpoints'],
    [{ checkpoint: { interval: 5 } }, 'checkpoint.interval'],
    [{ toString: 1 }, 'toString'],
    // What is not there yet is not taken and left undone.
    [{ encryption: { key: new Uint8Array(32) } }, 'encryption'],
    [{ storage: {} }, 'storage'],
    [{ checkpoint: { intervalMs: '1000' } }, 'checkpoint.intervalMs'],
    [{ checkpoint: { intervalMs: -1 } }, 'checkpoint.intervalMs'],
    [{ checkpoint: { intervalMs: Number.NaN } }, 'checkpoint.intervalMs'],
    [{ checkpoint: { intervalMs: 2 ** 31 } }, 'checkpoint.intervalMs'],
    [{ checkpoint: null }, 'checkpoint'],
    [{ checkpoint: [] }, 'checkpoint'],
    [{ budget: { stallMsMax: 0 } }, 'budget.stallMsMax'],
    [{ budget: { stallMsMax: 1n } }, 'budget.stallMsMax'],
    [{ checkpoint: { intervalMsMin: 2000 } }, 'checkpoint.intervalMsMin'],
    [{ checkpoint: { intervalMs: 100, intervalMsMin: -1 } }, 'checkpoint.intervalMsMin'],
    [{ checkpoint: { intervalMsMax: 999 } }, 'checkpoint.intervalMsMax'],
    [{ checkpoint: { intervalMs: 0, intervalMsMax: 999 } }, 'checkpoint.intervalMsMax'],
    [{ checkpoint: { deltaBytesMax: 1000 } }, 'checkpoint.deltaBytesMax'],
    [{ checkpoint: { cycleMs: 59_999 } }, 'checkpoint.cycleMs'],
    [{ budget: { ioBytesPerSecondMax: 65_535 } }, 'budget.ioBytesPerSecondMax'],
    [{ budget: { ioBytesPerSecondMax: '1MB' as never } }, 'budget.ioBytesPerSecondMax'],
    [{ budget: { ioBytesPerSecondMax: Number.NaN } }, 'budget.ioBytesPerSecondMax'],
    [{ restore: { at: 'newest' } }, 'restore.at'],
    [{ restore: { at: 1.5 } }, 'restore.at'],
    [{ restore: { at: -1 } }, 'restore.at'],
    [{ restore: { at: new Date(Number.NaN) } }, 'restore.at'],
    [{ restore: { hydrate: 'never' } }, 'restore.hydrate'],
    [{ restore: { onDamage: 'ignore' } }, 'restore.onDamage'],
    [{ compression: 'gzip' }, 'compression'],
    [{ compression: Symbol('zstd') }, 'compression'],
    [{ lock: true }, 'lock'],
    [{ readOnly: 'yes' }, 'readOnly'],
    [{ readOnly: () => true }, 'readOnly'],
    [{ debug: { untracked: 1 } }, 'debug.untracked'],
    [null, 'settings'],
    [5, 'settings'],
    [[], 'settings'],
    [new Map([['readOnly', true]]), 'settings'],
    [new Date(), 'settings'],
    [{ restore: new Map() }, 'restore'],
    [Object.create({ checkpoint: { intervalMs: Number.NaN } }), 'checkpoint.intervalMs'],
    [{ checkpoint: Object.create({ interval: 5 }) }, 'checkpoint.interval'],
    [Object.defineProperty({}, 'readOnly', { value: 'yes' }), 'readOnly'],
  ]
  for (const [settings, path] of cases) {
    const error = await failsWith('TIDEMARK_SETTINGS', () => open(folder, loose(settings)), { says: [path] })
    assert.ok(path === 'settings' || error.info?.['path'] === path, `${path}: ${JSON.stringify(error.info)}`)
  }
  assert.throws(() => readdirSync(folder), { code: 'ENOENT' })
})

test('settings are taken as they are at the call, inherited ones included', async () => {
  const settings = { readOnly: true, budget: { stallMsMax: 1 } }
  const opening = open(':memory:', settings)
  Object.assign(settings, { readOnly: false }).budget.stallMsMax = 0
  // Read-only: memory holds no store.
  await failsWith('TIDEMARK_NO_STORE', () => opening)
  await failsWith('TIDEMARK_NO_STORE', () => open(':memory:', Object.create({ readOnly: true })))
})

test('a time to go back to is a Date of whatever realm', async () => {
  const folder = ':memory:'
  const [at, none] = runInNewContext('[new Date(0), new Date(NaN)]') as [Date, Date]
  await failsWith('TIDEMARK_NO_STORE', () => open(folder, { restore: { at } }))
  await failsWith('TIDEMARK_SETTINGS', () => open(folder, { restore: { at: none } }), { says: ['an invalid Date'] })
})

test('a directory must be a path', async () => {
  for (const directory of [undefined, null, 5, {}, '']) {
    await failsWith('TIDEMARK_ARGUMENT', () => open(directory as string))
  }
  await failsWith('TIDEMARK_ARGUMENT', () => open(''), { says: ['not ""'] })
  await failsWith('TIDEMARK_ARGUMENT', () => open('with\0zero'), { says: ['not "with\\u0000zero"'] })
})

test('what reads a directory or copies one takes a path, and none of memory', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  await store.close()
  const calls: Record<string, (path: string) => Promise<unknown>> = {
    verify,
    profile,
    explain,
    copy: path => copy(path, join(folder, 'copy')),
    'copy to': path => copy(folder, path),
  }
  for (const [name, call] of Object.entries(calls)) {
    for (const path of [undefined, null, 5, {}, '', 'with\0zero', ':memory:'] as string[]) {
      await failsWith('TIDEMARK_ARGUMENT', () => call(path), { says: [name.split(' ')[0] as string] })
    }
  }
  assert.ok(!existsSync(':memory:') && !existsSync(join(folder, 'copy')))
})

test('a file where the directory should be', async t => {
  const path = join(temporaryFolder(t), 'file')
  writeFileSync(path, 'mine')
  await failsWith('TIDEMARK_DIRECTORY', () => open(path))
  await failsWith('TIDEMARK_DIRECTORY', () => open(join(path, 'below')))
  assert.equal(readFileSync(path, 'utf8'), 'mine')
})

test('a path that no directory can have, or that this user may not use, is an input to be corrected', {
  skip: process.platform === 'win32' && 'it has no such links',
}, async t => {
  const folder = temporaryFolder(t)
  const [loop, dangling, taken, source] = ['loop', 'dangling', 'taken', 'source'].map(name => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ]
  symlinkSync(loop, loop)
  symlinkSync(join(folder, 'missing', 'too'), dangling)
  mkdirSync(join(taken, 'lock'), { recursive: true })
  await (await open(source)).close()
  const readers: readonly ((path: string) => Promise<unknown>)[] = [path => open(path, { readOnly: true }), verify, explain]
  for (const path of [join(folder, 'x'.repeat(300)), loop, join(loop, 'below'), dangling, taken]) {
    for (const call of [open, (target: string) => copy(source, target)])
      await failsWith('TIDEMARK_DIRECTORY', () => call(path), { says: [path] })
    const code = path === dangling || path === taken ? 'TIDEMARK_NO_STORE' : 'TIDEMARK_DIRECTORY'
    for (const call of readers) await failsWith(code, () => call(path), { says: [path] })
  }
  for (const errno of ['EACCES', 'EPERM', 'EROFS'] as const) {
    const error = storageError('lock', 'lock', systemError(errno, 'open'))
    assert.equal((directoryError(folder, error, 'writes') as TidemarkError).code, 'TIDEMARK_DIRECTORY')
    assert.equal(directoryError(folder, error, 'reads'), error)
  }
  const full = storageError('lock', 'lock', systemError('ENOSPC', 'open'))
  assert.equal(directoryError(folder, full, 'writes'), full)
})

test('a store whose directory is taken away does not make another', {
  skip: process.platform === 'win32' && 'open files hold it',
}, async t => {
  const folder = join(temporaryFolder(t), 'state')
  const store = await open(folder)
  store.map('map').set('key', 1)
  await store.checkpoint()
  renameSync(folder, `${folder}-moved`)
  await store.close().catch(() => {})
  assert.equal(existsSync(folder), false)
  await (await open(`${folder}-moved`)).close()
})

test('a store of a newer format is refused and left as it is', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  store.value('total', 0).set(1)
  await store.close()
  const name = readdirSync(join(folder, 'manifest')).sort().at(-1) as string
  const path = join(folder, 'manifest', name)
  const original = readFileSync(path, 'utf8')
  const body = original.slice(original.indexOf('\n') + 1).replace(/"format":\d+/, '"format":99')
  const sum = createHash('sha256').update(`tidemark-manifest 1 ${body.length}\n`).update(body).digest('hex')
  writeFileSync(path, `tidemark-manifest 1 ${sum} ${body.length}\n${body}`)
  const files = readdirSync(folder, { recursive: true }).sort()
  for (const settings of [{}, { readOnly: true }, { restore: { onDamage: 'fall-back' } }] as const) {
    const error = await failsWith('TIDEMARK_FORMAT_NEWER', () => open(folder, settings), { says: ['99'] })
    assert.ok(error.file?.includes(name))
  }
  assert.deepEqual(
    readdirSync(folder, { recursive: true })
      .sort()
      .filter(file => file !== 'lock'),
    files.filter(file => file !== 'lock'),
  )
  writeFileSync(path, original)
  const again = await open(folder)
  assert.equal(again.value('total', 0).get(), 1)
  await again.close()
})

test('a store opened twice in one process', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  const error = await failsWith('TIDEMARK_LOCKED', () => open(folder), { says: ['this process'] })
  assert.equal((error.info as { holder: { pid: number } }).holder.pid, process.pid)
  store.map('players').set('ada', 1)
  await store.close()
  const again = await open(folder)
  assert.equal(again.map('players').get('ada'), 1)
  await again.close()
})

test('names: empty, reserved, over-long, ill-formed, no text', t =>
  unharmed(t, async store => {
    for (const name of [
      '',
      '$mine',
      'x'.repeat(256),
      'ü'.repeat(128),
      'lone \ud800',
      5,
      null,
      undefined,
      Symbol('name'),
      {},
      { __proto__: null },
    ]) {
      await failsWith('TIDEMARK_NAME', () => store.map(name as string))
      await failsWith('TIDEMARK_NAME', () => store.value(name as string, 0))
      // As a Map says of a key that it does not have.
      if (typeof name === 'string') assert.equal(store.delete(name), false)
      else await failsWith('TIDEMARK_NAME', () => store.delete(name as never))
    }
    for (const name of ['x'.repeat(255), 'ü'.repeat(127), '__proto__', 'constructor', 'a/b', '.', ' ', 'snow ☃\n']) {
      store.map(name).set('key', name)
      assert.equal(store.map(name).get('key'), name)
    }
  }))

test('a map and a value cannot share a name', t =>
  unharmed(t, async store => {
    await failsWith('TIDEMARK_NAME_TAKEN', () => store.value('others', 0), { collection: 'others' })
    await failsWith('TIDEMARK_NAME_TAKEN', () => store.map('total'), { collection: 'total' })
  }))

test('arguments of the wrong kind', t =>
  unharmed(t, async store => {
    await failsWith('TIDEMARK_ARGUMENT', () => store.transaction(5 as never))
    await failsWith('TIDEMARK_ARGUMENT', () => store.hold(5 as never))
    for (const times of [0, -5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      const says = [`above 0, not ${times}`]
      for (const call of ['checkpoint', 'durable', 'close'] as const)
        await failsWith('TIDEMARK_ARGUMENT', () => store[call]({ timeoutMs: times }), { says })
      await failsWith('TIDEMARK_ARGUMENT', () => store.hold(() => 1, { msMax: times }), { says })
    }
    for (const timeoutMs of [0, -1, Number.NaN, '5', null]) {
      await failsWith('TIDEMARK_ARGUMENT', () => store.checkpoint({ timeoutMs: timeoutMs as number }))
      await failsWith('TIDEMARK_ARGUMENT', () => store.durable({ timeoutMs: timeoutMs as number }))
      await failsWith('TIDEMARK_ARGUMENT', () => store.close({ timeoutMs: timeoutMs as number }))
    }
    await failsWith('TIDEMARK_ARGUMENT', () => store.hold(() => 1, { msMax: -5 }))
    for (const options of [
      5000,
      null,
      '5',
      true,
      [],
      { timeout: 5 },
      () => 5,
      new Map([['timeoutMs', 5]]),
      Object.create({ timeout: 5 }),
    ]) {
      for (const call of ['checkpoint', 'durable', 'close'] as const) {
        await failsWith('TIDEMARK_ARGUMENT', () => store[call](options as never), { says: [call] })
      }
      await failsWith('TIDEMARK_ARGUMENT', () => store.hold(() => assert.fail('it ran'), options as never), { says: ['hold'] })
    }
    await failsWith('TIDEMARK_ARGUMENT', () => store.durable({ timeout: 5 } as never), { says: ["no option 'timeout'"] })
    await store.durable({ timeoutMs: undefined as never })
    await failsWith('TIDEMARK_ARGUMENT', () => store.map('others').update('before', (async () => ({})) as never), {
      collection: 'others',
      key: 'before',
    })
  }))

test('an async transaction is refused and rolled back', t =>
  unharmed(t, async store => {
    const map = store.map<number>('numbers')
    await failsWith('TIDEMARK_TRANSACTION_ASYNC', () => store.transaction((async () => map.set('a', 1)) as never))
    await failsWith('TIDEMARK_TRANSACTION_ASYNC', () =>
      store.transaction((() => {
        map.set('a', 1)
        return Promise.resolve()
      }) as never),
    )
    assert.equal(map.size, 0)
  }))

test('waiting inside a transaction or a hold is refused', t =>
  unharmed(t, async store => {
    for (const call of [
      () => store.checkpoint(),
      () => store.durable(),
      () => store.close(),
      () => store.hold(() => 1),
      () => store.delete('others'),
    ]) {
      // The promise of a call that fails later must not go unhandled.
      await failsWith('TIDEMARK_INSIDE', () => store.transaction(() => ({ promise: call() })).promise)
    }
    await store.hold(async () => {
      await failsWith('TIDEMARK_INSIDE', () => store.checkpoint())
      await failsWith('TIDEMARK_INSIDE', () => store.durable())
      await failsWith('TIDEMARK_INSIDE', () => store.close())
    })
  }))
