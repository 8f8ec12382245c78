/**
 * Writes the golden store of a new format version: `node scripts/golden.mjs v2`, after a build. What exists is never overwritten: a golden
 * store is what a released version wrote, and today's code cannot know that.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const version = process.argv[2] ?? ''
const folder = join(root, 'test', 'golden', version)
if (!/^v[1-9]\d*$/.test(version)) fail('name a version: node scripts/golden.mjs v2')
if (existsSync(folder)) fail(`test/golden/${version} exists, and a golden store is never written again`)

const { FileStorage } = await import(join(root, '.build', 'src', 'storage', 'index.js'))
const { accountOf, writeGolden } = await import(join(root, '.build', 'test', 'support', 'golden.js'))
const store = join(folder, 'store')
mkdirSync(store, { recursive: true })
const storage = new FileStorage(store)
await writeGolden(storage)
writeFileSync(join(folder, 'expected.json'), `${JSON.stringify(await accountOf(storage), null, 2)}\n`)
console.log(`wrote test/golden/${version}`)

function fail(message) {
  console.error(message)
  process.exit(1)
}
