/** The demonstration: sets itself up, builds, and runs the flights example with the remaining arguments. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { bundle, compile } from './build.mjs'
import { handOver, root, setUpPackages } from './setup.mjs'

const EXAMPLE = 'examples/flights/main'

setUpPackages()
if (!existsSync(join(root, `${EXAMPLE}.ts`))) {
  console.error(`there is no ${EXAMPLE}.ts in this checkout, so there is nothing to start`)
  process.exit(1)
}
// What runs, and no more: neither declarations nor tests.
await bundle()
compile('tsconfig.examples.json')
const args = ['--enable-source-maps', join('.build', `${EXAMPLE}.js`), ...process.argv.slice(2)]
handOver('the example', args)
