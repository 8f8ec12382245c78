/**
 * Writes the WebAssembly that is committed beside its text, as base64: `node scripts/wat.mjs`. A test of each makes it again.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './setup.mjs'

/** By the name of the constant: its texts, which are one module together, and where it goes. */
const MODULES = {
  ADD_BLOCK: { from: ['src/image/add-block.wat'], to: 'src/image/add-block.ts' },
  ZSTD_BLOCK: {
    from: ['src/format/zstd-tables.wat', 'src/format/zstd-streams.wat', 'src/format/zstd-block.wat'],
    to: 'src/format/zstd-block-code.ts',
  },
}

/** The module as it is committed. */
export async function watModule(name) {
  const { default: load } = await import('wabt')
  const wabt = await load()
  const { from } = MODULES[name]
  const text = wabt.parseWat(from.at(-1), from.map(path => readFileSync(join(root, path), 'utf8')).join(''))
  text.resolveNames()
  text.validate()
  const code = Buffer.from(text.toBinary({}).buffer).toString('base64')
  text.destroy()
  const lines = (code.match(/.{1,120}/g) ?? []).map(line => `  '${line}',`)
  const files = from.map(path => path.replace(/.*\//, '')).join(', ')
  return `/** Made from ${files} by scripts/wat.mjs: WebAssembly, base64. */\nexport const ${name} = [\n${lines.join('\n')}\n].join('')\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { to }] of Object.entries(MODULES)) writeFileSync(join(root, to), await watModule(name))
}
