/** The crash test, for as long as wanted: sets itself up, builds, and hands over to test/crash/main.ts, which says what it takes. */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { handOver, setUpPackages } from './setup.mjs'

setUpPackages()
await buildPackage()
compile('tsconfig.json')
handOver('the crash test', ['--enable-source-maps', join('.build', 'test/crash/main.js'), ...process.argv.slice(2)])
