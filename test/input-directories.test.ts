/** Directories that are no store: each is left as it is, with a typed error. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { explain, open } from 'tidemark'
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

test('folders on which nothing stands are no reason to refuse a directory', async t => {
  const folder = temporaryFolder(t)
  for (const name of ['schedule', 'order']) mkdirSync(join(folder, name))
  await (await open(folder)).close()
})

test('a read-only open of what is no store', async t => {
  const folder = temporaryFolder(t)
  await failsWith('TIDEMARK_NO_STORE', () => open(folder, { readOnly: true }), { says: [folder] })
  await failsWith('TIDEMARK_NO_STORE', () => open(join(folder, 'missing'), { readOnly: true }))
  assert.deepEqual(readdirSync(folder), [])
})
