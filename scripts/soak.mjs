/** The property test for as long as wanted: sets itself up, builds, and hands over to test/property/soak.ts. */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { root, setUpPackages, show } from './setup.mjs'

setUpPackages()
await buildPackage()
compile('tsconfig.json')
process.exitCode = show(process.execPath, ['--enable-source-maps', join(root, '.build/test/property/soak.js'), ...process.argv.slice(2)])
