import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { hasZstdBlock } from './zstd-block.ts'
import { ZSTD_BLOCK } from './zstd-block-code.ts'

test('here it runs, or the tests in test/zstd-*.test.ts would show nothing', () => {
  assert.ok(hasZstdBlock())
})

test('the code is what its texts say', async () => {
  const { watModule } = (await import(join(import.meta.dirname, '..', '..', '..', 'scripts', 'wat.mjs'))) as {
    watModule(name: string): Promise<string>
  }
  assert.equal(/\[([^\]]*)\]/.exec(await watModule('ZSTD_BLOCK'))?.[1]?.replace(/[\s',]/g, ''), ZSTD_BLOCK)
})

test('where there is no WebAssembly it is not there, and says so', async () => {
  const code = `
    import { decodeZstdBlock, hasZstdBlock } from ${JSON.stringify(join(import.meta.dirname, 'zstd-block.js'))}
    console.log(typeof WebAssembly, hasZstdBlock(), decodeZstdBlock(Buffer.alloc(20), 100))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--jitless', '--no-warnings', '--input-type=module', '-e', code])
  assert.equal(stdout.trim(), 'undefined false other')
})

test('where it cannot be made it is tried once: what that costs is not to be paid for each block', async () => {
  const code = `
    let tried = 0
    globalThis.WebAssembly = { Module: class { constructor() { tried++; throw new RangeError('no address space') } } }
    const { decodeZstdBlock } = await import(${JSON.stringify(join(import.meta.dirname, 'zstd-block.js'))})
    console.log(decodeZstdBlock(Buffer.alloc(20), 100), decodeZstdBlock(Buffer.alloc(20), 100), tried)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
  assert.equal(stdout.trim(), 'other other 1')
})
