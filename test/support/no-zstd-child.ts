/**
 * A process of its own in which there is no zstd, whatever runtime it is, nor, with 'no-wasm', WebAssembly: opens the store in the folder given, reads
 * the entry that is named of it, and tells the error; with 'profile' instead, what is measured of histories with deflate and without compression, and
 * recommended.
 */
import module from 'node:module'
import zlib from 'node:zlib'
import type { TidemarkError } from '../../src/base/errors.ts'

const native = zlib as unknown as Record<string, unknown>
native['zstdCompressSync'] = native['zstdDecompressSync'] = undefined
module.syncBuiltinESMExports()
const resolver = module as unknown as { _resolveFilename: (request: string, ...others: unknown[]) => string }
const resolve = resolver._resolveFilename
resolver._resolveFilename = (request, ...others) => {
  if (request.startsWith('@toondepauw/')) throw new Error('not installed')
  return resolve(request, ...others)
}
const hooks = `export const resolve = async (name, context, next) => {
  if (name.startsWith('@toondepauw/')) throw new Error('not installed')
  return await next(name, context)
}`
module.register(`data:text/javascript,${encodeURIComponent(hooks)}`)

async function profiled(compression: 'zstd' | 'none'): Promise<void> {
  const { lifeOf, profileOf } = await import('./profile-history.ts')
  const epochs = lifeOf({ epochs: 40, perEpoch: 400, keys: 300, exponent: 0.8, seed: 4 })
  const { history, blocks, recommendations } = await profileOf(epochs, {}, compression)
  const ways = new Set(blocks.map(block => `${block.compression} ${block.level}`))
  const to = recommendations.find(({ setting }) => setting === 'compression')?.to
  console.log(JSON.stringify({ compression: history.compression, ways: [...ways], to }))
}

const told = (error: unknown) => {
  const { code, message, hint, file } = error as TidemarkError
  return { code, message, hint, file }
}

const [asked, ability, key] = process.argv.slice(2) as [string, string, string]
if (ability === 'no-wasm') Reflect.deleteProperty(globalThis, 'WebAssembly')
const { openStore } = await import('../../src/open.ts')
if (asked === 'profile') for (const compression of ['zstd', 'none'] as const) await profiled(compression)
for (const readOnly of asked === 'profile' ? [] : [true, false]) {
  try {
    const store = await openStore(asked, { readOnly, restore: { hydrate: 'on-demand' } })
    try {
      store.map('map').get(Number(key))
      console.log(JSON.stringify({ opened: true }))
    } catch (error) {
      console.log(JSON.stringify({ opened: true, ...told(error) }))
    }
    await store.close()
  } catch (error) {
    console.log(JSON.stringify(told(error)))
  }
}
