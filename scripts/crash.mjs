/** The crash test, for as long as wanted: sets itself up, builds, and hands over to test/crash/main.ts, which says what it takes. */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { root, setUpPackages, show } from './setup.mjs'

setUpPackages()
await buildPackage()
compile('tsconfig.json')
process.exitCode = show(process.execPath, ['--enable-source-maps', join(root, '.build/test/crash/main.js'), ...process.argv.slice(2)])
