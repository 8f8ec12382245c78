/** Writes src/image/add-block.ts from add-block.wat: `node scripts/wat.mjs`. What it gives is committed, and a test makes it again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './setup.mjs'

const folder = join(root, 'src', 'image')

/** The module as it is committed. */
export async function addBlockModule() {
  const { default: load } = await import('wabt')
  const wabt = await load()
  const text = wabt.parseWat('add-block.wat', readFileSync(join(folder, 'add-block.wat'), 'utf8'))
  text.resolveNames()
  text.validate()
  const code = Buffer.from(text.toBinary({}).buffer).toString('base64')
  text.destroy()
  const lines = (code.match(/.{1,120}/g) ?? []).map(line => `  '${line}',`)
  return `/** Made from add-block.wat by scripts/wat.mjs: WebAssembly, base64. */\nexport const ADD_BLOCK = [\n${lines.join('\n')}\n].join('')\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(folder, 'add-block.ts'), await addBlockModule())
