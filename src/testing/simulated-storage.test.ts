import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from '../base/errors.ts'
import { type ErrnoName, isErrno, type Storage } from '../storage/index.ts'
import { type CrashMode, SECTOR_BYTES, SeededRandom, SimulatedScheduler, SimulatedStorage } from './index.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

async function contentOf(storage: Storage, path: string): Promise<string | undefined> {
  if (!(await storage.exists(path))) return undefined
  const file = await storage.open(path, 'read')
  const content = await file.read(0, await file.size())
  await file.close()
  return content.toString('latin1')
}

const isSystem = (errno: ErrnoName) => (error: unknown) => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, errno)

test('a read at once meets the faults of reads, is in the log, and has no effect after the power went', async () => {
  const storage = new SimulatedStorage()
  const file = await storage.open('f', 'create')
  await file.append([bytes('abc')])
  storage.inject({ operation: 'read', errno: 'EIO', nth: 2 })
  assert.equal(file.readNow(1, 5).toString(), 'bc')
  assert.throws(() => file.readNow(1, 5), isSystem('EIO'))
  assert.equal(file.readNow(0, 1).toString(), 'a')
  assert.deepEqual(
    storage.calls.slice(-3).map(call => [call.operation, call.errno === undefined]),
    [
      ['read', true],
      ['read', false],
      ['read', true],
    ],
  )
  storage.powerOff()
  assert.throws(() => file.readNow(0, 1), isSystem('EIO'))
})

describe('a power cut', () => {
  async function half(options = {}): Promise<SimulatedStorage> {
    const storage = new SimulatedStorage(options)
    const file = await storage.open('f', 'create')
    await file.append([bytes('safe')])
    await file.sync()
    await storage.syncFolder('')
    await file.append([bytes('-more')])
    const young = await storage.open('young', 'create')
    await young.append([bytes('new')])
    await young.sync()
    return storage
  }

  test('keeps what was synced, and of the rest what the mode says', async () => {
    const storage = await half()
    const expected: Partial<Record<CrashMode, [string, string | undefined]>> = {
      lost: ['safe', undefined],
      kept: ['safe-more', 'new'],
      'names-only': ['safe', 'new'],
      'data-only': ['safe-more', undefined],
    }
    for (const [mode, [content, young]] of Object.entries(expected)) {
      const after = storage.crash({ mode: mode as CrashMode })
      assert.equal(await contentOf(after, 'f'), content, mode)
      assert.equal(await contentOf(after, 'young'), young, mode)
    }
    assert.equal(await contentOf(storage, 'f'), 'safe-more', 'the crash is a copy')
  })

  test('synced bytes and synced names survive every crash at every step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async seed => {
        const storage = await half({ seed })
        for (const data of ['lost', 'kept', 'prefix', 'torn', 'zeroed', 'random'] as const) {
          const content = (await contentOf(storage.crash({ data, names: 'random', seed }), 'f')) ?? ''
          assert.ok(content.startsWith('safe'), `${data}: ${content}`)
          assert.ok(content.length <= 9)
          if (data === 'prefix') assert.ok('safe-more'.startsWith(content))
        }
      }),
      { numRuns: 50 },
    )
  })

  test('a later name can survive an earlier one', async () => {
    const storage = new SimulatedStorage()
    await storage.makeFolder('log')
    await storage.makeFolder('manifest')
    await storage.open('log/1', 'create')
    await storage.createIfAbsent('manifest/1', bytes('names log/1'))
    const seen = new Set<string>()
    for (let seed = 0; seed < 64; seed++) {
      const after = storage.crash({ seed })
      seen.add(`${await after.exists('log/1')} ${await after.exists('manifest/1')}`)
      if (await after.exists('manifest/1')) assert.equal(await contentOf(after, 'manifest/1'), 'names log/1', 'never part of the content')
    }
    assert.equal(seen.size, 4)
  })

  test('a torn write ends at a sector, a zeroed one has whole sectors of zeros', async () => {
    const storage = new SimulatedStorage()
    const file = await storage.open('f', 'create')
    await file.append([Buffer.alloc(100, 'a')])
    await file.sync()
    await storage.syncFolder('')
    await file.append([Buffer.alloc(4000, 'b')])
    const lengths = new Set<number>()
    let zeroes = 0
    for (let seed = 0; seed < 100; seed++) {
      const torn = (await contentOf(storage.crash({ mode: 'torn', seed }), 'f')) as string
      lengths.add(torn.length)
      assert.ok(torn.length === 100 || torn.length === 4100 || torn.length % SECTOR_BYTES === 0, `${torn.length}`)
      assert.match(torn, /^a{100}b*$/)
      const zeroed = (await contentOf(storage.crash({ mode: 'zeroed', seed }), 'f')) as string
      assert.equal(zeroed.length, 4100)
      assert.equal(zeroed.slice(0, 100), 'a'.repeat(100))
      for (let from = 0; from < 4100; from += SECTOR_BYTES)
        assert.match(zeroed.slice(Math.max(100, from), from + SECTOR_BYTES), /^(b*|\0*)$/)
      if (zeroed.includes('\0')) zeroes++
    }
    assert.ok(lengths.size > 4)
    assert.ok(zeroes > 90)
  })

  test('an unsynced overwrite leaves each sector old or new, and is durable after a sync', async () => {
    const storage = new SimulatedStorage()
    const file = await storage.open('f', 'create')
    await file.append([Buffer.alloc(3000, 'a')])
    await file.sync()
    await storage.syncFolder('')
    await file.overwrite(100, Buffer.alloc(2000, 'b'))
    const seen = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      for (const mode of ['lost', 'kept', 'torn', 'zeroed'] as const) {
        const left = (await contentOf(storage.crash({ mode, seed }), 'f')) as string
        assert.match(left, /^a{100}[ab]{2000}a{900}$/, mode)
        seen.add(left)
      }
    }
    assert.ok(seen.size > 10)
    await file.sync()
    assert.equal(await contentOf(storage.crash({ mode: 'lost' }), 'f'), `${'a'.repeat(100)}${'b'.repeat(2000)}${'a'.repeat(900)}`)
  })

  test('an unsynced truncate or remove may be undone', async () => {
    const storage = await half()
    const file = await storage.open('f', 'append')
    await file.sync()
    await file.truncate(2)
    await storage.remove('young')
    assert.equal(await contentOf(storage.crash({ mode: 'lost' }), 'f'), 'safe-more')
    assert.equal(await contentOf(storage.crash({ mode: 'kept' }), 'f'), 'sa')
    await storage.syncFolder('')
    assert.equal(await storage.crash({ mode: 'lost' }).exists('young'), false)
    await storage.remove('f')
    assert.equal(await storage.crash({ mode: 'lost' }).exists('f'), true)
    assert.equal(await storage.crash({ mode: 'kept' }).exists('f'), false)
  })

  test('at step k leaves what the calls up to k left, and no call after it has an effect', async () => {
    const life = async (storage: SimulatedStorage): Promise<void> => {
      const file = await storage.open('f', 'create')
      for (const text of ['a', 'b', 'c']) {
        await file.append([bytes(text)])
        await file.sync()
      }
      await file.close()
    }
    const whole = new SimulatedStorage()
    await life(whole)
    assert.deepEqual(
      whole.calls.map(call => call.operation),
      ['open', 'append', 'sync', 'append', 'sync', 'append', 'sync', 'close'],
    )
    const lengths: (number | undefined)[] = []
    for (let step = 1; step <= whole.steps; step++) {
      const storage = new SimulatedStorage({ powerCutAtStep: step })
      await assert.rejects(life(storage), /power is off/)
      assert.equal(storage.off, true)
      assert.equal(storage.steps, step)
      lengths.push((await contentOf(storage.crash({ data: 'lost', names: 'kept' }), 'f'))?.length)
      await assert.rejects(storage.createIfAbsent('g', bytes('x')), isSystem('EIO'))
      assert.equal(await storage.crash({ mode: 'kept' }).exists('g'), false)
    }
    assert.deepEqual(lengths, [0, 0, 1, 1, 2, 2, 3, 3])
  })

  test('can be taken after every call of one life', async () => {
    const storage = new SimulatedStorage()
    const found: SimulatedStorage[] = []
    storage.onCall = call => found.push(storage.crash({ mode: 'lost', seed: call.step }))
    await storage.createIfAbsent('m', bytes('x'))
    await storage.syncFolder('')
    storage.onCall = undefined
    assert.deepEqual(await Promise.all(found.map(after => after.exists('m'))), [false, true])
  })
})

test('a restart sees everything written, and the old process does nothing more', async () => {
  const storage = new SimulatedStorage()
  const file = await storage.open('f', 'create')
  await file.append([bytes('unsynced')])
  const next = storage.restart()
  assert.equal(await contentOf(next, 'f'), 'unsynced')
  await assert.rejects(file.append([bytes('x')]), /power is off/)
  assert.equal(await contentOf(next, 'f'), 'unsynced')
  assert.equal(await next.crash({ mode: 'lost' }).exists('f'), false)
})

describe('faults', () => {
  test('the Nth call of a kind on a path fails, with the errno, once', async () => {
    for (const errno of ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EMFILE'] as const) {
      const storage = new SimulatedStorage()
      storage.inject({ operation: 'open', errno, nth: 2, path: 'a' })
      await storage.open('a1', 'create')
      await storage.open('b', 'create')
      await assert.rejects(storage.open('a2', 'create'), isSystem(errno))
      assert.equal(await storage.exists('a2'), false)
      await storage.open('a2', 'create')
      assert.equal(storage.faults, 1)
    }
  })

  test('every operation can fail', async () => {
    const storage = new SimulatedStorage()
    const file = await storage.open('f', 'create')
    const calls: Record<string, () => Promise<unknown>> = {
      append: () => file.append([bytes('x')]),
      read: () => file.read(0, 1),
      createIfAbsent: () => storage.createIfAbsent('g', bytes('x')),
      syncFolder: () => storage.syncFolder(''),
      remove: () => storage.remove('f'),
      list: () => storage.list(''),
      close: () => file.close(),
    }
    for (const [operation, call] of Object.entries(calls)) {
      const heal = storage.inject({ operation: operation as 'append', errno: 'EIO' })
      await assert.rejects(call, error => isErrno(error, 'EIO') && (error as { info: { operation: string } }).info.operation === operation)
      heal()
    }
    assert.deepEqual(await storage.list(''), ['f'])
    assert.equal(storage.openFiles, 0, 'a close that fails has closed all the same')
  })

  test('an error of append or sync is final for the file', async () => {
    const storage = new SimulatedStorage()
    for (const operation of ['append', 'sync'] as const) {
      const file = await storage.open(operation, 'create')
      await file.append([bytes('a')])
      storage.inject({ operation, errno: 'ENOSPC', nth: 1 })
      let first: unknown
      await (operation === 'append' ? file.append([bytes('b')]) : file.sync()).catch(error => {
        first = error
      })
      for (const call of [() => file.append([bytes('c')]), () => file.sync(), () => file.truncate(0)]) {
        await assert.rejects(call, error => error === first)
      }
      assert.equal((await file.read(0, 9)).toString(), 'a')
      await file.close()
    }
  })

  test('a short append writes a part, then fails', async () => {
    const storage = new SimulatedStorage()
    storage.inject({ operation: 'append', errno: 'ENOSPC', nth: 1, writtenBytes: 3 })
    const file = await storage.open('f', 'create')
    await assert.rejects(file.append([bytes('ab'), bytes('cdef')]), isSystem('ENOSPC'))
    assert.equal(await contentOf(storage, 'f'), 'abc')
  })

  test('after a failed sync the cache shows bytes that are nowhere, and a second sync succeeds', async () => {
    const storage = new SimulatedStorage()
    const file = await storage.open('f', 'create')
    await storage.syncFolder('')
    await file.append([bytes('lost')])
    storage.inject({ operation: 'sync', errno: 'EIO', nth: 1 })
    await assert.rejects(file.sync(), isSystem('EIO'))
    const second = await storage.open('f', 'append')
    await second.sync()
    assert.equal(await contentOf(storage, 'f'), 'lost')
    assert.equal(await contentOf(storage.crash({ mode: 'kept' }), 'f'), '')
    await second.append([bytes('later')])
    await second.sync()
    assert.equal(await contentOf(storage.crash({ mode: 'kept' }), 'f'), '\0\0\0\0later')
  })

  test('a failed call may have happened all the same', async () => {
    const storage = new SimulatedStorage()
    storage.inject({ operation: 'createIfAbsent', errno: 'EIO', nth: 1, applied: true })
    await assert.rejects(storage.createIfAbsent('m', bytes('mine')), isSystem('EIO'))
    assert.equal(await contentOf(storage, 'm'), 'mine')
  })

  test('a lying sync saves nothing', async () => {
    const storage = new SimulatedStorage({ lyingSync: true, lyingSyncFolder: true })
    const file = await storage.open('f', 'create')
    await file.append([bytes('x')])
    await file.sync()
    await storage.syncFolder('')
    assert.equal(await storage.crash({ mode: 'lost' }).exists('f'), false)
    assert.equal(await contentOf(storage.crash({ mode: 'names-only' }), 'f'), '')
  })

  test('a full disk refuses, and takes again what is given back', async () => {
    const storage = new SimulatedStorage({ capacityBytes: 10 })
    const file = await storage.open('f', 'create')
    await file.append([bytes('12345678')])
    await assert.rejects(file.append([bytes('abcd')]), isSystem('ENOSPC'))
    assert.equal(await storage.size('f'), 10, 'what fitted was written')
    await assert.rejects(storage.createIfAbsent('g', bytes('x')), isSystem('ENOSPC'))
    await storage.remove('f')
    await assert.rejects(storage.createIfAbsent('g', bytes('x')), isSystem('ENOSPC'), 'an open file keeps its space')
    await file.close()
    assert.equal(storage.disk.usedBytes, 0)
    assert.equal(await storage.createIfAbsent('g', bytes('0123456789')), true)
    assert.equal(storage.disk.freeBytes, 0)
  })

  test('bit rot flips bits where they are stored', async () => {
    const storage = new SimulatedStorage({ seed: 4 })
    await storage.createIfAbsent('f', Buffer.alloc(1000))
    await storage.syncFolder('')
    const [spot] = storage.rot(1)
    const flipped = Buffer.alloc(1000)
    flipped[spot?.offset as number] = 1 << (spot?.bit as number)
    assert.equal(await contentOf(storage, 'f'), flipped.toString('latin1'))
    assert.equal(await contentOf(storage.crash({ mode: 'lost' }), 'f'), flipped.toString('latin1'))
    assert.deepEqual(new SimulatedStorage().rot(3), [])
  })

  test('bit rot of what is not synced yet stays when it is, and wherever a power cut leaves those bytes', async () => {
    const storage = new SimulatedStorage()
    const file = await storage.open('f', 'create')
    await file.append([bytes('a'.repeat(8))])
    await file.sync()
    await storage.syncFolder('')
    // Of the file the first half is on the disk, the middle is written anew over that, and the end is in memory alone.
    const given = bytes('b'.repeat(8))
    await file.overwrite(4, given.subarray(0, 4))
    await file.append([given])
    await file.overwrite(6, given.subarray(0, 4))
    for (const offset of [1, 5, 7, 15]) storage.disk.lookup('f')?.flip(offset, 4)
    assert.equal(given.toString(), 'b'.repeat(8))
    assert.equal(await contentOf(storage, 'f'), 'aqaabrbrbbbbbbbr')
    assert.equal(await contentOf(storage.crash({ mode: 'kept' }), 'f'), 'aqaabrbrbbbbbbbr')
    assert.equal(await contentOf(storage.crash({ mode: 'lost' }), 'f'), 'aqaaaqaq')
    await file.sync()
    for (const mode of ['lost', 'kept'] as const) assert.equal(await contentOf(storage.crash({ mode }), 'f'), 'aqaabrbrbbbbbbbr')
  })

  test('an open that fails though it made the file leaves a name, and nothing open', async () => {
    const storage = new SimulatedStorage({ capacityBytes: 10 })
    await storage.createIfAbsent('there', bytes('0123456789'))
    storage.inject({ operation: 'open', errno: 'EIO', times: 2, applied: true })
    await assert.rejects(storage.open('made', 'create'), isSystem('EIO'))
    await assert.rejects(storage.open('there', 'append'), isSystem('EIO'))
    assert.deepEqual([await storage.list(''), storage.openFiles], [['made', 'there'], 0])
    await storage.remove('there')
    assert.equal(storage.disk.usedBytes, 0, 'nobody keeps its space')
    await (await storage.open('made', 'append')).close()
  })
})

test('one seed is one life: calls, faults, interleaving and what a crash leaves', async () => {
  const life = async (seed: number): Promise<string> => {
    const scheduler = new SimulatedScheduler({ seed })
    const storage = new SimulatedStorage({ seed, scheduler, capacityBytes: 5000 })
    storage.inject({ operation: 'any', errno: 'EIO', probability: 0.05, writtenBytes: 'random' })
    const random = new SeededRandom(seed)
    const worker = async (name: string): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        try {
          const file = await storage.open(`${name}${round}`, 'create')
          await file.append([random.bytes(random.below(200))])
          await file.sync()
          await storage.syncFolder('')
          await file.close()
        } catch (error) {
          if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
        }
      }
    }
    await scheduler.run(Promise.all(['a', 'b', 'c'].map(worker)))
    const after = storage.crash()
    const contents = await Promise.all((await after.list('')).map(async path => `${path}:${await contentOf(after, path)}`))
    return JSON.stringify([storage.calls, scheduler.clock.monotonic(), contents])
  }
  const lives = new Set<string>()
  for (let seed = 0; seed < 10; seed++) {
    const one = await life(seed)
    assert.equal(one, await life(seed))
    lives.add(one)
  }
  assert.equal(lives.size, 10)
})
