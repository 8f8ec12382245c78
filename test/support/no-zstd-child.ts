/** A process of its own in which there is no zstd, whatever runtime it is: opens the store in the folder given, and tells the error. */
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

const { openStore } = await import('../../src/open.ts')
for (const readOnly of [true, false]) {
  try {
    await (await openStore(process.argv[2] as string, { readOnly })).close()
    console.log(JSON.stringify({ opened: true }))
  } catch (error) {
    const { code, message, hint, file } = error as TidemarkError
    console.log(JSON.stringify({ code, message, hint, file }))
  }
}
