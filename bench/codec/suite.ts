/** The value codec against others (bench/codec.mjs, RFC 0002): it measures one room of the house, so it runs on what is built. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Suite } from '../harness/suite.ts'

/** Of the compiled benchmark: `.build/bench/codec/suite.js`. */
const script = fileURLToPath(new URL('../../../bench/codec.mjs', import.meta.url))

export const codec: Suite = {
  name: 'codec',
  about: 'the value codec against others (RFC 0002)',
  onRequest: true,
  async run() {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', maxBuffer: 1 << 24 })
    if (status !== 0) throw new Error(`bench/codec.mjs failed: ${stderr}`)
    return { text: [stdout.trimEnd()], bounds: [], data: stdout.split('\n') }
  },
}
