/** The demonstration: sets itself up, builds, and runs the flights example with the remaining arguments. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { root, setUpPackages } from './setup.mjs'

const EXAMPLE = 'examples/flights/main'

setUpPackages()
if (!existsSync(join(root, `${EXAMPLE}.ts`))) {
  console.error(`there is no ${EXAMPLE}.ts in this checkout, so there is nothing to start`)
  process.exit(1)
}
await buildPackage()
compile('tsconfig.json')
const args = ['--enable-source-maps', join('.build', `${EXAMPLE}.js`), ...process.argv.slice(2)]
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })
// Whoever stops this process means the example: it ends its services first, and its status is ours.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', error => {
  console.error(`${process.execPath}: ${error.message}`)
  process.exitCode = 1
})
child.on('exit', (code, signal) => {
  if (signal !== null) console.error(`the example was ended by ${signal}`)
  process.exitCode = code ?? 1
})
