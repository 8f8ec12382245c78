/** The property test for as long as wanted: sets itself up, builds, and hands over to test/property/soak.ts. */
import { join } from 'node:path'
import { buildPackage, compile } from './build.mjs'
import { handOver, setUpPackages } from './setup.mjs'

setUpPackages()
await buildPackage()
compile('tsconfig.json')
handOver('the property test', ['--enable-source-maps', join('.build', 'test/property/soak.js'), ...process.argv.slice(2)])
