/**
 * Writes the golden store and segments of a new format version: `node scripts/golden.mjs v2`, after a build. What exists is never
 * overwritten: a golden store is what a released version wrote, and today's code cannot know that.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './setup.mjs'

const version = process.argv[2] ?? ''
const folder = join(root, 'test', 'golden', version)
if (version !== 'v2') fail("name the version that today's code writes: node scripts/golden.mjs v2")
if (existsSync(folder)) fail(`test/golden/${version} exists, and a golden store is never written again`)

const load = path => import(join(root, '.build', `${path}.js`))
const { FileStorage } = await load('src/storage/index')
const { openStore } = await load('src/open')
const golden = await load('test/support/golden-folded')

const store = join(folder, 'store')
for (const [path, bytes] of await golden.writeGoldenFolded()) {
  mkdirSync(dirname(join(store, path)), { recursive: true })
  writeFileSync(join(store, path), bytes)
}
const reader = await openStore(store, { readOnly: true })
keep('expected.json', await golden.accountOfStore(reader))
await reader.close()

const segments = join(folder, 'segments')
mkdirSync(join(segments, 'segment'), { recursive: true })
const storage = new FileStorage(segments)
const accounts = []
for (const index of golden.SEGMENT_COMPRESSIONS.keys()) {
  const entry = await golden.writeGoldenSegment(storage, index)
  accounts.push({ entry, account: await golden.accountOfSegment(storage, entry) })
}
keep('segments.json', accounts)
console.log(`wrote test/golden/${version}`)

function keep(name, account) {
  writeFileSync(join(folder, name), `${JSON.stringify(account, null, 2)}\n`)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
