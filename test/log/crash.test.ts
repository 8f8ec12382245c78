import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../../src/base/errors.ts'
import type { Failpoint } from '../../src/base/failpoint.ts'
import type { ErrnoName, StorageOperation } from '../../src/storage/index.ts'
import { type CrashMode, SimulatedDisk, SimulatedStorage } from '../../src/testing/index.ts'
import { type Block, Life, readAll } from '../support/log-store.ts'
import { STRIDE, share, sweep } from '../support/share.ts'

const MODES: readonly CrashMode[] = ['lost', 'kept', 'names-only', 'data-only', 'prefix', 'torn', 'zeroed', 'random']

/** What was acknowledged, and what was ever posted, by epoch. */
class Ledger {
  readonly acknowledged = new Map<number, string>()
  readonly posted = new Map<number, Set<string>>()

  post(epoch: number, blocks: readonly Block[]): void {
    const text = JSON.stringify(blocks)
    this.posted.set(epoch, (this.posted.get(epoch) ?? new Set()).add(text))
  }

  acknowledge(epoch: number, blocks: readonly Block[]): void {
    assert.ok(!this.acknowledged.has(epoch), `epoch ${epoch} is acknowledged twice`)
    this.acknowledged.set(epoch, JSON.stringify(blocks))
  }

  copy(): Map<number, string> {
    return new Map(this.acknowledged)
  }
}

function content(life: string, epoch: number): readonly Block[] {
  const big = `${life}:${epoch} `.repeat(40)
  return epoch % 3 === 0 ? [[['big', big]], [['k', `${life}${epoch}`]]] : [[['k', `${life}${epoch}`]]]
}

/** Opens, commits, rolls by size, closes, opens again. Stops quietly where the storage fails. */
async function script(storage: SimulatedStorage, ledger: Ledger, name: string, lives = 2, failpoint?: Failpoint): Promise<void> {
  for (let life = 0; life < lives; life++) {
    const writer = await Life.open({
      storage,
      name: `${name} ${life}`,
      fileBytesMax: 1700,
      compression: 'none',
      ...(failpoint === undefined ? {} : { failpoint }),
    })
    for (let count = 0; count < 4; count++) {
      const epoch = writer.epoch + 1
      const blocks = content(name, epoch)
      ledger.post(epoch, blocks)
      const answer = await writer.commit(blocks)
      if (answer.type !== 'committed') return
      ledger.acknowledge(epoch, blocks)
    }
    await writer.close()
  }
}

/** Everything acknowledged is there, and nothing is there that was never posted. */
async function check(storage: SimulatedStorage, acknowledged: ReadonlyMap<number, string>, ledger: Ledger, what: string): Promise<void> {
  const { epochs } = await readAll(storage).catch(error => {
    if (error instanceof TidemarkError && error.code === 'TIDEMARK_NO_STORE' && acknowledged.size === 0) return { epochs: [] }
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error })
  })
  const found = new Map(epochs.map(({ epoch, blocks }) => [epoch, JSON.stringify(blocks)]))
  for (const [epoch, text] of acknowledged) assert.equal(found.get(epoch), text, `${what}: epoch ${epoch} was acknowledged`)
  for (const [epoch, text] of found) assert.ok(ledger.posted.get(epoch)?.has(text), `${what}: epoch ${epoch} was never posted so`)
}

test('a power cut after any call, whatever it leaves, loses no acknowledged epoch, and the store goes on', async () => {
  const storage = new SimulatedStorage({ seed: 5 })
  const ledger = new Ledger()
  const states: { step: number; what: string; acknowledged: Map<number, string>; left: SimulatedStorage }[] = []
  storage.onCall = ({ step, operation, path }) => {
    for (const mode of MODES) {
      for (let seed = 0; seed < (mode === 'lost' || mode === 'kept' ? 1 : 2); seed++) {
        const left = storage.crash({ mode, seed: step * 10 + seed })
        states.push({ step, what: `step ${step} (${operation} ${path}), ${mode} ${seed}`, acknowledged: ledger.copy(), left })
      }
    }
  }
  await script(storage, ledger, 'first')
  assert.equal(ledger.acknowledged.size, 8)
  assert.ok(storage.steps > 80, `${storage.steps} steps`)
  for (const [index, { what, acknowledged, left }] of sweep([...states.entries()])) {
    await check(left, acknowledged, ledger, what)
    if (index % 8 !== 0) continue
    // It opens for writing, too, and a second cut right after the next acknowledgement keeps both.
    const later = new Ledger()
    for (const [epoch, texts] of ledger.posted) for (const text of texts) later.post(epoch, JSON.parse(text) as readonly Block[])
    for (const [epoch, text] of acknowledged) later.acknowledged.set(epoch, text)
    const writer = await Life.open({ storage: left, name: 'second', compression: 'none' })
    for (const { epoch, blocks } of writer.found.epochs) later.acknowledged.set(epoch, JSON.stringify(blocks))
    const blocks = content('second', writer.epoch + 1)
    later.post(writer.epoch + 1, blocks)
    const { epoch } = await writer.mustCommit(blocks)
    later.acknowledge(epoch, blocks)
    await check(left.crash({ mode: 'lost' }), later.acknowledged, later, `${what}, then again`)
    await check(left.crash({ mode: 'zeroed' }), later.acknowledged, later, `${what}, then again, zeroed`)
  }
})

test('a kill after any call and a power cut after the next acknowledgement lose nothing that was built upon', async () => {
  let steps = Number.POSITIVE_INFINITY
  for (let cut = 1; cut <= steps; cut += STRIDE) {
    const storage = new SimulatedStorage({ seed: 9, powerCutAtStep: cut })
    const ledger = new Ledger()
    await script(storage, ledger, 'first').catch(() => {})
    if (!storage.off) steps = cut
    const again = storage.restart({ seed: cut })
    const writer = await Life.open({ storage: again, name: `second ${cut}`, compression: 'none' })
    const { epochs } = writer.found
    for (const [epoch, text] of ledger.acknowledged) assert.equal(JSON.stringify(epochs.find(one => one.epoch === epoch)?.blocks), text)
    // What the second life was told is the ground it builds on.
    for (const { epoch, blocks } of epochs) ledger.acknowledged.set(epoch, JSON.stringify(blocks))
    const blocks = content('second', writer.epoch + 1)
    ledger.post(writer.epoch + 1, blocks)
    const { epoch } = await writer.mustCommit(blocks)
    ledger.acknowledge(epoch, blocks)
    for (const mode of MODES) await check(again.crash({ mode, seed: cut }), ledger.acknowledged, ledger, `kill at ${cut}, ${mode}`)
  }
  assert.ok(steps > 80)
})

test('after a failed sync, a kill and a power cut later nothing acknowledged since is lost', async () => {
  // The sync of a commit fails and forgets its data; the page cache goes on to show the epoch. The next opener must not build upon it.
  for (let nth = 1; nth < 12; nth++) {
    const storage = new SimulatedStorage({ seed: nth })
    const ledger = new Ledger()
    const writer = await Life.open({ storage, name: 'first', compression: 'none' })
    storage.inject({ operation: 'sync', errno: 'EIO', nth, path: 'log/' })
    for (;;) {
      const epoch = writer.epoch + 1
      const blocks = content('first', epoch)
      ledger.post(epoch, blocks)
      const answer = await writer.commit(blocks)
      if (answer.type !== 'committed') break
      ledger.acknowledge(epoch, blocks)
    }
    const again = storage.restart()
    const next = await Life.open({ storage: again, name: 'second', compression: 'none' })
    const blocks = content('second', next.epoch + 1)
    ledger.post(next.epoch + 1, blocks)
    const { epoch } = await next.mustCommit(blocks)
    ledger.acknowledge(epoch, blocks)
    await check(again.crash({ mode: 'lost' }), ledger.acknowledged, ledger, `sync ${nth}`)
  }
})

test('an epoch whose sync failed and that nobody could disown is on the device before the next is acknowledged', async () => {
  for (const data of ['drop', 'part'] as const) {
    const storage = new SimulatedStorage({ seed: 7 })
    const ledger = new Ledger()
    const commit = async (writer: Life, name: string): Promise<void> => {
      const blocks = content(name, writer.epoch + 1)
      ledger.post(writer.epoch + 1, blocks)
      const { epoch } = await writer.mustCommit(blocks)
      ledger.acknowledge(epoch, blocks)
    }
    const writer = await Life.open({ storage, name: 'first', compression: 'none' })
    await commit(writer, 'first')
    storage.inject({ operation: 'sync', errno: 'EIO', path: 'log/', ...(data === 'part' ? { data } : {}) })
    storage.inject({ operation: 'createIfAbsent', errno: 'EIO', path: 'manifest/' })
    const lost = content('first', 2)
    ledger.post(2, lost)
    assert.equal((await writer.commit(lost)).type, 'failed')
    const again = storage.restart()
    const next = await Life.open({ storage: again, name: 'second', compression: 'none' })
    assert.equal(next.epoch, 2, 'the page cache shows it')
    ledger.acknowledged.set(2, JSON.stringify(lost))
    await commit(next, 'second')
    for (const mode of MODES) await check(again.crash({ mode, seed: 1 }), ledger.acknowledged, ledger, `${data}, ${mode}`)
  }
})

test('a power cut while what was left is written again takes nothing that was acknowledged', async () => {
  let overwrites = 0
  for (let cut = 1, steps = 2; cut < steps; cut += STRIDE) {
    const storage = new SimulatedStorage({ seed: 9, powerCutAtStep: cut })
    const ledger = new Ledger()
    await script(storage, ledger, 'first').catch(() => {})
    if (storage.off) steps = cut + 1 + STRIDE
    const again = storage.restart({ seed: cut })
    const states: { what: string; acknowledged: Map<number, string>; left: SimulatedStorage }[] = []
    again.onCall = ({ step, operation, path }) => {
      if (operation === 'overwrite') overwrites++
      if (path !== 'log/00000001-00000001.log' || (operation !== 'overwrite' && operation !== 'sync')) return
      for (const mode of MODES) {
        const left = again.crash({ mode, seed: step })
        states.push({ what: `kill at ${cut}, ${operation} ${path}, ${mode}`, acknowledged: ledger.copy(), left })
      }
    }
    const writer = await Life.open({ storage: again, name: `second ${cut}`, compression: 'none' })
    const blocks = content('second', writer.epoch + 1)
    ledger.post(writer.epoch + 1, blocks)
    const { epoch } = await writer.mustCommit(blocks)
    ledger.acknowledge(epoch, blocks)
    for (const { what, acknowledged, left } of states) await check(left, acknowledged, ledger, what)
  }
  assert.ok(overwrites > share(10), `${overwrites} overwrites`)
})

const FAULTS: readonly { operation: StorageOperation; errno: ErrnoName; more?: object }[] = [
  { operation: 'append', errno: 'ENOSPC' },
  { operation: 'append', errno: 'ENOSPC', more: { writtenBytes: 'random' } },
  { operation: 'append', errno: 'EIO', more: { writtenBytes: 1_000_000 } },
  { operation: 'sync', errno: 'EIO' },
  { operation: 'sync', errno: 'EIO', more: { data: 'part' } },
  { operation: 'sync', errno: 'ENOSPC', more: { data: 'keep' } },
  { operation: 'syncFolder', errno: 'EIO' },
  { operation: 'createIfAbsent', errno: 'EIO' },
  { operation: 'createIfAbsent', errno: 'EIO', more: { applied: true } },
  { operation: 'open', errno: 'EMFILE' },
  { operation: 'open', errno: 'EMFILE', more: { applied: true } },
  { operation: 'exists', errno: 'EIO' },
  { operation: 'read', errno: 'EIO' },
  { operation: 'remove', errno: 'EIO' },
  { operation: 'list', errno: 'EIO' },
  { operation: 'close', errno: 'EIO', more: { applied: true } },
]

test('after any single failed call the epoch is written again to a new file, and no acknowledged epoch is lost', async () => {
  for (const { operation, errno, more } of FAULTS) {
    for (let nth = 1; nth < 60; nth += STRIDE) {
      const what = `${operation} ${errno} ${JSON.stringify(more ?? {})} number ${nth}`
      const storage = new SimulatedStorage({ seed: nth })
      const ledger = new Ledger()
      const writer = await Life.open({ storage, name: what, fileBytesMax: 1700, compression: 'none' })
      storage.inject({ operation, errno, nth, ...more } as Parameters<typeof storage.inject>[0])
      let failures = 0
      for (let count = 0; count < 5; count++) {
        const epoch = writer.epoch + 1
        const blocks = content(what, epoch)
        ledger.post(epoch, blocks)
        for (;;) {
          const answer = await writer.commit(blocks)
          if (answer.type === 'committed') break
          assert.equal(answer.type, 'failed', what)
          failures++
          assert.ok(failures < 3, `${what}: keeps failing: ${JSON.stringify(answer)}`)
        }
        ledger.acknowledge(epoch, blocks)
        await check(storage.crash({ mode: 'lost' }), ledger.acknowledged, ledger, what)
      }
      await check(storage.crash({ mode: 'zeroed', seed: nth }), ledger.acknowledged, ledger, what)
      const met = storage.faults > 0
      await writer.close()
      storage.heal()
      await check(storage, ledger.acknowledged, ledger, `${what}, closed`)
      const next = await Life.open({ storage, name: `${what} again`, compression: 'none' })
      await next.mustCommit(content('again', next.epoch + 1))
      if (!met) break
    }
  }
})

test('an epoch that is whole and whose check for a rival failed is disowned: nobody builds upon it', async () => {
  for (const before of [0, 2]) {
    const storage = new SimulatedStorage({ seed: 6 })
    const writer = await Life.open({ storage, name: 'first', compression: 'none' })
    for (let count = 0; count < before; count++) await writer.mustCommit(content('first', writer.epoch + 1))
    // Rolling looks for no rival: the first such look is that of the commit.
    storage.inject({ operation: 'exists', errno: 'EIO', nth: 1, path: 'manifest/' })
    const answer = await writer.commit(content('first', writer.epoch + 1))
    assert.equal(answer.type, 'failed')
    const { epochs, opened } = await readAll(storage)
    assert.equal(epochs.length, before)
    assert.ok(opened.manifest.log.every(entry => entry.end !== null))
    assert.equal(opened.manifest.log.length, before === 0 ? 0 : 1)
    // A rival that comes now goes on from what was acknowledged, and its own files are whole.
    const rival = await Life.open({ storage, name: 'rival', compression: 'none' })
    assert.equal(rival.epoch, before)
    await rival.mustCommit(content('rival', rival.epoch + 1))
    assert.equal((await readAll(storage)).epochs.length, before + 1)
    await writer.close()
    await rival.close()
  }
})

test('two writers, stopped at every step against each other, never acknowledge two histories', async () => {
  const countSteps = async (): Promise<number> => {
    let count = 0
    const counted: Failpoint = async () => {
      count++
    }
    await script(new SimulatedStorage({ seed: 3 }), new Ledger(), 'a', 2, counted)
    return count
  }
  const total = await countSteps()
  assert.ok(total > 60)
  let fenced = 0
  for (let stopA = 1; stopA <= total; stopA += STRIDE) {
    for (let stopB = 0; stopB < 40; stopB += stopA % 10 === 0 ? 1 : 9) {
      fenced += await duel(stopA, stopB)
    }
  }
  assert.ok(fenced > share(50), `${fenced} fenced`)
})

/** A runs to its step `stopA`, B then to its step `stopB` (0: to its end), A to its end, B to its end. */
async function duel(stopA: number, stopB: number): Promise<number> {
  const what = `A at ${stopA}, B at ${stopB}`
  const disk = new SimulatedDisk()
  const storage = new SimulatedStorage({ seed: 4, disk })
  const ledger = new Ledger()
  let aDone: () => void = () => {}
  const aEnded = new Promise<void>(resolve => {
    aDone = resolve
  })
  let b: Promise<void> = Promise.resolve()
  let atA = 0
  const failpointA: Failpoint = async () => {
    if (++atA !== stopA) return
    let atB = 0
    let paused: () => void = () => {}
    const bPaused = new Promise<void>(resolve => {
      paused = resolve
    })
    const failpointB: Failpoint = async () => {
      if (++atB !== stopB) return
      paused()
      await aEnded
    }
    b = run('b', 1, failpointB).finally(paused)
    await bPaused
  }
  let fenced = 0
  const run = async (name: string, lives: number, failpoint: Failpoint): Promise<void> => {
    try {
      for (let life = 0; life < lives; life++) {
        const writer = await Life.open({ storage, name: `${name} ${what} ${life}`, fileBytesMax: 1700, compression: 'none', failpoint })
        for (let count = 0; count < 3; count++) {
          const epoch = writer.epoch + 1
          const blocks = content(name, epoch)
          ledger.post(epoch, blocks)
          const answer = await writer.commit(blocks)
          if (answer.type !== 'committed') {
            assert.equal(answer.type, 'fenced', `${what}: ${JSON.stringify(answer)}`)
            fenced++
            return
          }
          ledger.acknowledge(epoch, blocks)
        }
        await writer.close()
      }
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.code !== 'TIDEMARK_FENCED') throw error
      fenced++
    }
  }
  await run('a', 2, failpointA)
  aDone()
  await b
  await check(storage, ledger.acknowledged, ledger, what)
  await check(storage.crash({ mode: 'lost' }), ledger.acknowledged, ledger, `${what}, power cut`)
  return fenced
}
