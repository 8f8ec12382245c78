/** The benchmarks: sets itself up like the tests, builds, and runs bench/main.ts with the remaining arguments (--help lists them). */
import { join } from 'node:path'
import { quiet, root, setUpPackages, setUpSystem, show, tool } from './setup.mjs'

setUpPackages()
setUpSystem()
for (const project of ['tsconfig.build.json', 'tsconfig.json']) {
  const { ok, output } = quiet(process.execPath, [tool('tsc'), '-p', project])
  if (!ok) {
    console.error(output)
    console.error(`the build failed (${project})`)
    process.exit(1)
  }
}
process.exitCode = show(process.execPath, [join('.build', 'bench', 'main.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
