/** The benchmarks: sets itself up like the tests, builds, and runs bench/main.ts with the remaining arguments (--help lists them). */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { setUpPackages, setUpSystem, show } from './setup.mjs'

setUpPackages()
setUpSystem()
await buildPackage()
compile('tsconfig.json')
process.exitCode = show(process.execPath, [join('.build', 'bench', 'main.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
