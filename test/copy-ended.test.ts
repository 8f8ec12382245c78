/** A copy that was cut short behind its manifest is a store: the first to open it ends it, and no later copy takes it for one to begin again. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { copy, open } from 'tidemark'
import { openForWriting } from '../src/restore/index.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

/** A store, and a copy of it that was cut short in its very last step. */
async function copied(t: TestContext): Promise<{ source: string; target: string }> {
  const folder = temporaryFolder(t)
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  const store = await open(source)
  store.map<number>('map').set('key', 1)
  await store.close()
  await copy(source, target)
  writeFileSync(join(target, 'copying'), '')
  return { source, target }
}

async function assertLost(source: string, target: string): Promise<void> {
  const before = readdirSync(target, { recursive: true })
  for (const readOnly of [false, true]) {
    const { hint } = await failsWith('TIDEMARK_DIRECTORY', () => open(target, { readOnly }))
    assert.match(hint as string, /put the folder `manifest` back/)
  }
  await failsWith('TIDEMARK_DIRECTORY', () => copy(source, target))
  assert.deepEqual(readdirSync(target, { recursive: true }), before)
}

for (const lost of ['manifests', 'folder of manifests'] as const) {
  test(`what was acknowledged in a copy that was cut short behind its manifest stays when the ${lost} is lost`, async t => {
    const { source, target } = await copied(t)
    const store = await open(target, { checkpoint: { intervalMs: 0 } })
    assert.ok(!existsSync(join(target, 'copying')))
    store.map<number>('map').set('key', 2)
    await store.checkpoint()
    await store.close()
    // A copy makes no such folders, so with them a directory was never taken for one.
    for (const name of ['schedule', 'order']) rmSync(join(target, name), { recursive: true, force: true })
    rmSync(join(target, 'manifest'), { recursive: true })
    if (lost === 'manifests') mkdirSync(join(target, 'manifest'))
    await assertLost(source, target)
  })
}

test('a copy that was cut short behind its manifest, and lost the folder of it before anybody wrote, is not begun again', async t => {
  const { source, target } = await copied(t)
  assert.ok(existsSync(join(target, 'copying')))
  rmSync(join(target, 'manifest'), { recursive: true })
  await assertLost(source, target)
})

test('a file of somebody else in a store stays there, though it has the name that a copy uses', async t => {
  const { target } = await copied(t)
  writeFileSync(join(target, 'copying'), 'mine')
  await (await open(target)).close()
  assert.equal(readFileSync(join(target, 'copying'), 'utf8'), 'mine')
})

test('that a copy has ended is durable before a writer begins in it', async () => {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const storage = new SimulatedStorage({ seed: 1, scheduler })
  const facts = { createdBy: 'test', random: new SeededRandom(1) }
  await scheduler.run(openForWriting(storage, facts))
  await scheduler.run(storage.createIfAbsent('copying', new Uint8Array(0)))
  await scheduler.run(storage.syncFolder(''))
  await scheduler.run(openForWriting(storage, facts))
  assert.equal(await scheduler.run(storage.crash({ mode: 'lost' }).exists('copying')), false)
})
