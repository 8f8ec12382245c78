/** A folder where a file of the store belongs, and a file where a folder does: each is told of as what it is, with what to do. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { open, verify } from 'tidemark'
import { root } from './root.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

const LOG = 'log/00000001-00000001.log'
const SEGMENT = 'segment/00000001-00000013.seg'

/** A store in which something else stands in the place of `name`. */
function storeWith(t: TestContext, name: string, what: 'a folder' | 'a file'): string {
  const store = join(temporaryFolder(t), 'store')
  cpSync(join(root, 'test/golden/v2/store'), store, { recursive: true })
  rmSync(join(store, name), { recursive: true, force: true })
  if (what === 'a folder') mkdirSync(join(store, name))
  else writeFileSync(join(store, name), 'mine')
  return store
}

async function problems(store: string): Promise<readonly (readonly string[])[]> {
  const { ok, files } = await verify(store)
  assert.equal(ok, false)
  return files.flatMap(({ file, problem }) => (problem === undefined ? [] : [[file, problem]]))
}

test('verify names a file in whose place a folder stands, or whose folder is a file, and says so', async t => {
  for (const file of [LOG, SEGMENT])
    assert.deepEqual(await problems(storeWith(t, file, 'a folder')), [[file, 'a folder stands in its place: move it away']])
  const all = await problems(storeWith(t, 'segment', 'a file'))
  assert.ok(all.length > 0)
  for (const [file, problem] of all)
    assert.deepEqual([file?.split('/')[0], problem], ['segment', 'a file stands in the place of its folder: move it away'])
})

test('an opening that meets one says in its hint what is to be moved away', async t => {
  const folder = storeWith(t, LOG, 'a folder')
  for (const settings of [{ readOnly: true }, { restore: { onDamage: 'fall-back' } }] as const) {
    const { hint } = await failsWith('TIDEMARK_STORAGE', () => open(folder, settings), { says: [LOG] })
    assert.match(String(hint), /^a folder stands where a file of the store belongs: move it away/)
  }
  const { hint: ofLock } = await failsWith('TIDEMARK_DIRECTORY', () => open(storeWith(t, 'lock', 'a folder')), { says: ['lock'] })
  assert.match(String(ofLock), /^a folder stands where a file of the store belongs: move it away/)
  for (const name of ['log', 'segment']) {
    const { hint } = await failsWith('TIDEMARK_STORAGE', () => open(storeWith(t, name, 'a file')), { says: [name] })
    assert.match(String(hint), /^a file stands where a folder of the store belongs: move it away/)
  }
})

test('where a file stands in the place of the folder of manifests, or of the log, the path of the store is not what is wrong', async t => {
  for (const name of ['manifest', 'log']) {
    const store = storeWith(t, name, 'a file')
    for (const call of [verify, (path: string) => open(path, { readOnly: true })]) {
      const { message, hint } = await failsWith('TIDEMARK_DIRECTORY', () => call(store))
      assert.equal(message, `${join(store, name)} is no directory`)
      assert.match(
        String(hint),
        /^correct the path; where it is that of a store, a file stands where a folder of the store belongs: move it away/,
      )
    }
  }
})
