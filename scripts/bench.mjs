/** The benchmarks: sets itself up like the tests, builds, and runs bench/main.ts with the remaining arguments (--help lists them). */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { handOver, setUpPackages, setUpSystem } from './setup.mjs'

setUpPackages()
setUpSystem()
await buildPackage()
compile('tsconfig.json')
handOver('the benchmark', [join('.build', 'bench', 'main.js'), ...process.argv.slice(2)])
