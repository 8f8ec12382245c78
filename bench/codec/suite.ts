/** The value codec against others, and compression of blocks: each measures one room of the house, so it runs on what is built. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Suite } from '../harness/suite.ts'

/** Seen from the compiled benchmark, which is `.build/bench/codec/suite.js`. */
const SCRIPTS = ['codec.mjs', 'compression.mjs']

export const codec: Suite = {
  name: 'codec',
  about: 'the value codec against others (RFC 0002), compression of blocks (RFC 0006)',
  onRequest: true,
  async run() {
    const texts = SCRIPTS.map(name => {
      const script = fileURLToPath(new URL(`../../../bench/${name}`, import.meta.url))
      const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', maxBuffer: 1 << 24 })
      if (status !== 0) throw new Error(`bench/${name} failed: ${stderr}`)
      return stdout.trimEnd()
    })
    return { text: texts, bounds: [], data: texts.map(text => text.split('\n')) }
  },
}
