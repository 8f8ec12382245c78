/** The demonstration: sets itself up, builds, and runs the flights example with the remaining arguments. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { quiet, root, setUpPackages, show, tool } from './setup.mjs'

const EXAMPLE = 'examples/flights/main'

setUpPackages()
if (!existsSync(join(root, `${EXAMPLE}.ts`))) {
  console.error(`there is no ${EXAMPLE}.ts in this checkout, so there is nothing to start`)
  process.exit(1)
}
for (const project of ['tsconfig.build.json', 'tsconfig.json']) {
  const { ok, output } = quiet(process.execPath, [tool('tsc'), '-p', project])
  if (!ok) {
    console.error(output)
    console.error(`the build failed (${project})`)
    process.exit(1)
  }
}
process.exitCode = show(process.execPath, ['--enable-source-maps', join('.build', `${EXAMPLE}.js`), ...process.argv.slice(2)], {
  stdio: 'inherit',
})
