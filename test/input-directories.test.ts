/** Directories that are no store: each is left as it is, with a typed error. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { copy, explain, open, profile, recoveryPoints, verify } from 'tidemark'
import { workingDirectoryGone } from '../src/storage/index.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

test('a directory that holds something else is left as it is', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'holiday.jpg'), 'a picture')
  mkdirSync(join(folder, 'letters'))
  await failsWith('TIDEMARK_DIRECTORY', () => open(folder), { says: [folder] })
  assert.deepEqual(readdirSync(folder).sort(), ['holiday.jpg', 'letters'])
})

test('a folder called manifest with other things in it makes no store of a directory', async t => {
  for (const beside of ['charts', 'segment', undefined]) {
    const folder = temporaryFolder(t)
    for (const name of ['manifest', ...(beside === undefined ? [] : [beside])]) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'app.yaml'), 'mine')
    }
    const before = readdirSync(folder, { recursive: true })
    const { info } = await failsWith('TIDEMARK_DIRECTORY', () => open(folder), { says: [folder] })
    assert.match(String(info?.['found']), /manifest\/app\.yaml/)
    await failsWith('TIDEMARK_DIRECTORY', () => open(folder, { readOnly: true }))
    await failsWith('TIDEMARK_NO_STORE', () => explain(folder), { says: [folder] })
    assert.deepEqual(readdirSync(folder, { recursive: true }), before)
  }
})

test('a directory with log files of something else is left without a lock file, or with the one it has', async t => {
  for (const lock of [undefined, 'pid 4711', '']) {
    const folder = temporaryFolder(t)
    mkdirSync(join(folder, 'log'))
    writeFileSync(join(folder, 'log', 'app.log'), 'mine')
    if (lock !== undefined) writeFileSync(join(folder, 'lock'), lock)
    const before = readdirSync(folder, { recursive: true })
    for (const settings of [{}, { lock: 'none' }] as const) {
      const { info } = await failsWith('TIDEMARK_DIRECTORY', () => open(folder, settings), { says: [folder] })
      assert.match(String(info?.['found']), /log\/app\.log/)
      assert.deepEqual(readdirSync(folder, { recursive: true }), before)
      if (lock !== undefined) assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), lock)
    }
  }
})

test('what is told of a directory that holds something else is what to do about that', async t => {
  const hintOf = async (make: (folder: string) => void): Promise<string> => {
    const folder = temporaryFolder(t)
    make(folder)
    const before = readdirSync(folder, { recursive: true })
    const { hint, info } = await failsWith('TIDEMARK_DIRECTORY', () => open(folder), { says: [folder, /neither empty nor a store/] })
    assert.deepEqual(readdirSync(folder, { recursive: true }), before)
    return `${String(info?.['found'])}: ${hint}`
  }
  const put = (folder: string, ...names: string[]): void => {
    for (const name of names) {
      mkdirSync(join(folder, name, '..'), { recursive: true })
      writeFileSync(join(folder, name), '')
    }
  }
  const log = 'log/00000001-00000001.log'
  assert.match(await hintOf(folder => put(folder, 'notes.txt', 'log')), /^notes.txt,log: give an empty directory/)
  assert.match(await hintOf(folder => put(folder, 'log')), /^log: give an empty directory/)
  assert.match(await hintOf(folder => put(folder, 'log/app.log')), /: give an empty directory/)
  assert.match(await hintOf(folder => put(folder, log)), /: it holds log files and no manifest/)
  assert.match(
    await hintOf(folder => put(folder, log, 'copying', 'manifest/.tmp-0123456789abcdef-00000001')),
    /: a copy into it was cut short/,
  )
  // A copy makes the folder of manifests first.
  assert.match(await hintOf(folder => put(folder, log, 'copying')), /: it holds log files and no manifest/)
})

test('a file called lock that no store left is refused, and keeps its text; what one left is taken again', async t => {
  const source = temporaryFolder(t)
  await (await open(source)).close()
  for (const text of ['pid 4711', '4711', '{"pid":4711}', 'null']) {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'lock'), text)
    for (const call of [() => open(folder), () => open(folder, { lock: 'none' }), () => copy(source, folder)]) {
      const { info } = await failsWith('TIDEMARK_DIRECTORY', call, { says: [folder] })
      assert.deepEqual(info?.['found'], ['lock'])
      assert.deepEqual(readdirSync(folder), ['lock'])
      assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), text)
    }
  }
  const holder = JSON.stringify({ host: 'h', boot: '', pid: 77, started: '', since: '2026-01-01T00:00:00.000Z' })
  // Zeros: the text of one that went with the power.
  for (const text of ['', `${holder}\n`, '\0'.repeat(100)]) {
    const [folder, target] = [temporaryFolder(t), temporaryFolder(t)]
    for (const path of [folder, target]) writeFileSync(join(path, 'lock'), text)
    await (await open(folder)).close()
    await copy(source, target)
  }
})

test('folders on which nothing stands are no reason to refuse a directory', async t => {
  const folder = temporaryFolder(t)
  for (const name of ['schedule', 'order']) mkdirSync(join(folder, name))
  await (await open(folder)).close()
})

test('where a first opening died there is no store, and whoever reads is told why', async t => {
  const [folder, target] = [temporaryFolder(t), temporaryFolder(t)]
  for (const name of ['log', 'manifest']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'manifest', '00000001.manifest'), 'a part')
  const before = readdirSync(folder, { recursive: true })
  for (const call of [
    () => open(folder, { readOnly: true }),
    () => verify(folder),
    () => copy(folder, target),
    () => profile(folder),
    () => explain(folder),
    () => recoveryPoints(folder),
  ])
    await failsWith('TIDEMARK_NO_STORE', call, { says: [folder, /a first opening died before it had made one/] })
  assert.deepEqual(readdirSync(folder, { recursive: true }), before)
  writeFileSync(join(folder, 'notes.txt'), 'mine')
  await failsWith('TIDEMARK_DIRECTORY', () => open(folder, { readOnly: true }))
})

test('an open at a recovery point makes no store of a directory that has none', async t => {
  const folder = temporaryFolder(t)
  const missing = join(folder, 'missing', 'state')
  for (const at of [7, new Date(0)]) {
    for (const lock of ['os', 'none'] as const) {
      for (const path of [folder, missing]) {
        const { hint } = await failsWith('TIDEMARK_NO_STORE', () => open(path, { lock, restore: { at } }), { says: [path] })
        assert.match(String(hint), /correct the path/)
      }
      assert.deepEqual(readdirSync(folder), [])
    }
  }
  const unbegun = temporaryFolder(t)
  mkdirSync(join(unbegun, 'manifest'))
  writeFileSync(join(unbegun, 'manifest', '00000001.manifest'), 'a part')
  await failsWith('TIDEMARK_NO_STORE', () => open(unbegun, { lock: 'none', restore: { at: 7 } }), { says: [unbegun] })
  assert.deepEqual(readdirSync(unbegun, { recursive: true }).sort(), ['manifest', join('manifest', '00000001.manifest')])
  const store = await open(missing, { restore: { at: 'latest' } })
  await store.close()
})

test('a read-only open of what is no store', async t => {
  const folder = temporaryFolder(t)
  await failsWith('TIDEMARK_NO_STORE', () => open(folder, { readOnly: true }), { says: [folder] })
  await failsWith('TIDEMARK_NO_STORE', () => open(join(folder, 'missing'), { readOnly: true }))
  assert.deepEqual(readdirSync(folder), [])
})

test('where the working directory was removed a relative path is an input to be corrected, and so is any where a thread is to write', {
  skip: process.platform === 'win32' && 'it cannot be removed there',
}, async t => {
  const around = temporaryFolder(t)
  const folder = join(around, 'gone')
  const before = process.cwd()
  mkdirSync(folder)
  process.chdir(folder)
  rmdirSync(folder)
  const calls: readonly ((path: string) => Promise<unknown>)[] = [open, verify, profile, explain, path => copy(path, before)]
  try {
    for (const call of calls) {
      const { cause } = await failsWith('TIDEMARK_DIRECTORY', () => call('state'), { says: ['state', 'working directory'] })
      assert.equal((cause as NodeJS.ErrnoException).code, 'ENOENT')
    }
    const state = join(around, 'state')
    const { hint } = await failsWith('TIDEMARK_DIRECTORY', () => open(state), { says: ['working directory', 'no thread'] })
    assert.match(String(hint), /process\.chdir/)
    assert.deepEqual(readdirSync(around), [])
    // Memory lies in none.
    await (await open(':memory:')).close()
    assert.deepEqual([workingDirectoryGone() instanceof Error, workingDirectoryGone('win32')], [true, undefined])
  } finally {
    process.chdir(before)
  }
})
