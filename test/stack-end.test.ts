/** Where the service's own recursion ends the stack inside a call of the engine, and is caught, memory and disk hold the same. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { BLOCK_RAW_BYTES } from '../src/base/limits.ts'
import { Capture } from '../src/capture/capture.ts'
import { TidemarkMap } from '../src/capture/index.ts'
import { Outbox } from '../src/capture/outbox.ts'
import { Significance } from '../src/capture/significance.ts'
import { Transaction } from '../src/capture/transaction.ts'
import { tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { Rig } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { begin, exchange } from './support/cold-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { atStackEnd } from './support/stack-end.ts'

test('a set that finds no stack has set nothing, or what becomes durable', () => {
  const rig = new Rig()
  const map = rig.collection([['there', -1]])
  rig.checkpoint()
  let n = 0
  atStackEnd(() => map.set('there', n++))
  rig.checkpoint()
  rig.check(map)
  atStackEnd(() => map.set(`k${n++}`, n))
  rig.checkpoint()
  rig.check(map)
  assert.ok(map.live.size > 1)
})

test('a delete that finds no stack has deleted nothing, or what is gone on the disk, too', () => {
  const rig = new Rig()
  const map = rig.collection(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, at]))
  rig.checkpoint()
  let n = 0
  atStackEnd(() => map.delete(`k${n++}`))
  rig.checkpoint()
  rig.check(map)
  for (let at = 0; at < 10_000; at++) map.set(`f${at}`, at)
  n = 0
  atStackEnd(() => map.delete(`f${n++}`))
  rig.checkpoint()
  rig.check(map)
})

for (const evicts of [false, true]) {
  test(`beside stored entries${evicts ? ' that come and go' : ''} a call that finds no stack leaves the count right, and the entries`, () => {
    const begun = begin(20_000, { evicts, lies: 8 })
    const { rig, collection } = begun
    const both = (): void => {
      rig.checkpoint()
      const disk = rig.disk.get(collection.id)
      assert.equal(collection.size, disk?.size)
      for (const [key, value] of collection.live) assert.deepEqual(disk?.get(key), value)
    }
    let n = 0
    atStackEnd(() => collection.set(`k${n++}`, n))
    both()
    atStackEnd(() => collection.set(`new${n++}`, n))
    both()
    atStackEnd(() => collection.get(`k${n++}`))
    both()
    atStackEnd(() => collection.delete(`k${n++}`))
    both()
    n = 0
    atStackEnd(() => collection.delete(`k${n++}`))
    both()
    for (let at = 0; at < 4000; at++) collection.set(`f${at}`, at)
    n = 0
    atStackEnd(() => collection.delete(`f${n++}`))
    both()
    if (evicts) exchange(begun)
    both()
  })
}

test('while a cut is being taken, a call that finds no stack leaves no key out of it, nor lets in what came behind it', () => {
  for (const saturated of [false, true]) {
    const rig = new Rig()
    const map = rig.collection()
    const fill = (): void => {
      for (let at = 0; at < 8000; at++) map.set(`k${at}`, { at, more: [at] })
      map.saturated = saturated
    }
    let n = 0
    const calls: (() => unknown)[] = [
      () => map.set(`k${n++}`, 'later'),
      () => map.get(`k${n++}`),
      () => map.delete(`k${n++}`),
      () => map.set(`new${n++}`, 'later'),
    ]
    for (const call of calls) {
      fill()
      rig.cut()
      rig.slice()
      n = 0
      atStackEnd(call, 3)
      rig.commit()
      rig.check(map)
      rig.checkpoint()
      rig.check(map)
    }
    assert.deepEqual(rig.refusals, [])
  }
})

test('a call that took a key of a cut and had no stack left for its record voids the cut, and the outbox goes on', () => {
  for (const call of ['get', 'set', 'delete', 'clear'] as const) {
    const rig = new Rig()
    const map = rig.collection(Array.from({ length: 20 }, (_, at) => [`k${at}`, { at }]))
    rig.checkpoint()
    for (let at = 0; at < 20; at++) map.set(`k${at}`, { at, again: true })
    rig.cut()
    rig.slice()
    const { now } = rig.space
    Object.assign(rig.space, {
      now: () => {
        rig.outbox.begin().u32(7)
        throw new RangeError('Maximum call stack size exceeded')
      },
    })
    assert.throws(() => (call === 'set' ? map.set('k1', 'later') : call === 'clear' ? map.clear() : map[call]('k1')), RangeError)
    Object.assign(rig.space, { now })
    rig.commit()
    assert.deepEqual(rig.voids, ['no stack left to capture in'])
    rig.check(map)
    assert.equal(rig.outbox.encoding, false)
    rig.checkpoint()
    rig.check(map)
    assert.equal(map.live.size, 20)
  }
})

for (const then of ['slice', 'void', 'failure'] as const) {
  test(`a call whose record found no stack goes on, and its cut is taken anew${then === 'slice' ? '' : `, also where a ${then} comes first`}`, () => {
    for (const call of ['get', 'set', 'delete', 'clear'] as const) {
      const rig = new Rig()
      const map = rig.collection(Array.from({ length: 20 }, (_, at) => [`k${at}`, { at }]))
      rig.checkpoint()
      for (let at = 0; at < 20; at++) map.set(`k${at}`, { at, again: true })
      rig.cut()
      rig.slice()
      // Behind the look at the last records, before the end of this one.
      const recorded = mock.method(rig.space.rewrites, 'recorded', () => {
        rig.outbox.begin().u32(7)
        throw new RangeError('Maximum call stack size exceeded')
      })
      if (call === 'set') map.set('k1', 'later')
      else if (call === 'clear') map.clear()
      else map[call]('k1')
      recorded.mock.restore()
      if (then === 'void') rig.void()
      else if (then === 'failure') rig.fail()
      if (then !== 'failure') rig.commit()
      rig.checkpoint()
      rig.check(map)
      assert.equal(rig.outbox.encoding, false)
      assert.ok(map.live.size === 20 || call === 'delete' || call === 'clear')
      map.set('k1', { at: 1, again: true })
      rig.checkpoint()
      rig.check(map)
    }
  })
}

test('a block that had no stack left to be sent fails the attempt, for records of before the cut may be in it', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 'x'.repeat(2 * BLOCK_RAW_BYTES)]])
  const outbox = new Outbox(() => {
    throw new RangeError('Maximum call stack size exceeded')
  })
  const capture = new Capture([map], 1, outbox, rig)
  rig.space.capture = capture
  rig.space.refresh()
  map.set('k', 'later')
  assert.throws(() => capture.run(() => false), { code: 'TIDEMARK_STORAGE' })
  assert.deepEqual(rig.voids, [])
  outbox.reset()
  assert.equal(outbox.lost, false)
})

test('a cut whose last slice meets a codec that found no stack left for a record is not complete', () => {
  const rig = new Rig()
  let inject = false
  const codec: ValueCodec = {
    ...tideCodec,
    encodeInto(writer, value) {
      if (inject) {
        inject = false
        const now = mock.method(rig.space, 'now', () => {
          throw new RangeError('Maximum call stack size exceeded')
        })
        try {
          map.get('k1')
        } catch {}
        now.mock.restore()
      }
      tideCodec.encodeInto(writer, value)
    },
  }
  const map = rig.collection([], codec)
  for (let at = 0; at < 5; at++) map.set(`k${at}`, { at })
  rig.cut()
  inject = true
  rig.commit()
  assert.deepEqual(rig.voids, ['no stack left to capture in'])
  rig.check(map)
})

test('while a cut is being taken, a set or delete that finds no stack and takes nothing of it leaves the cut as it is', () => {
  const rig = new Rig()
  const map = rig.collection(Array.from({ length: 4000 }, (_, at) => [`k${at}`, at]))
  rig.checkpoint()
  for (let at = 0; at < 1000; at++) map.set(`k${at}`, -at)
  rig.cut()
  const [part] = rig.capture?.parts ?? []
  while (part?.mode === 'sift') rig.slice()
  assert.equal(part?.mode, 'pending')
  let n = 2000
  atStackEnd(() => map.set(`k${n}`, n++), 3)
  atStackEnd(() => map.delete(`k${n++}`), 3)
  rig.commit()
  assert.deepEqual(rig.voids, [])
  rig.check(map)
  rig.checkpoint()
  rig.check(map)
})

test('a key that went where the stack ended, and comes back, is not compared with what it was before', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 0]])
  map.significance = new Significance((old, next) => Math.abs((next as number) - (old as number)) >= 10)
  rig.checkpoint()
  map.set('k', 1)
  const settle = mock.method(map.significance, 'settle', () => {
    throw new RangeError('Maximum call stack size exceeded')
  })
  assert.throws(() => map.delete('k'), RangeError)
  settle.mock.restore()
  assert.equal(map.has('k'), false)
  map.set('k', 15)
  rig.checkpoint()
  rig.check(map)
  // Near to what it was at first, far from what is stored.
  map.set('k', 2)
  rig.checkpoint()
  rig.check(map)
})

test('an update that finds no stack behind the change stores what it changed, be it all of it or half', () => {
  for (const fails of [false, true]) {
    const rig = new Rig()
    const collection = rig.collection([['k', { n: 0 }]])
    const map = new TidemarkMap<string, { n: number }>(collection)
    rig.checkpoint()
    Object.assign(collection, {
      set: () => {
        throw new RangeError('Maximum call stack size exceeded')
      },
    })
    const change = (value: { n: number }): void => {
      value.n++
      if (fails) throw new Error('half')
    }
    assert.throws(() => map.update('k', change), fails ? { message: 'half' } : RangeError)
    Reflect.deleteProperty(collection, 'set')
    rig.checkpoint()
    rig.check(collection)
  }
})

test('a transaction begins only where there is stack to take it back, and the store goes on', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<unknown, string>('map')
  map.set('there', { n: 0 })
  map.set('gone', 1)
  const reason = new Error('no')
  let outer = 0
  atStackEnd(() => {
    store.transaction(() => {
      map.set('new', 1)
      map.delete('gone')
      map.update('there', value => ({ n: (value as { n: number }).n + 1 }))
      throw reason
    })
  }, 8)
  assert.deepEqual(
    new Map(map),
    new Map<string, unknown>([
      ['there', { n: 0 }],
      ['gone', 1],
    ]),
  )
  atStackEnd(() => {
    store.transaction(() => {
      outer++
      map.set('one', outer)
      map.set('other', outer)
    })
  }, 8)
  assert.equal(map.get('one'), map.get('other'))
  await world.checkpoint()
  assert.deepEqual(new Map((await world.crash()).map('map')), new Map(map))
  await world.close()
})

test('a refused value whose delete finds no stack behind it is refused no more with the next epoch, for which there is a reason', async () => {
  const { scheduler, host, map, space, checkpointer } = alone()
  map.set('bad', () => {})
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  host.commit()
  assert.equal(checkpointer.refusals.length, 1)
  const forget = mock.method(space.giants, 'forget', () => {
    throw new RangeError('Maximum call stack size exceeded')
  })
  assert.throws(() => map.delete('bad'), RangeError)
  forget.mock.restore()
  assert.equal(map.has('bad'), false)
  const durable = checkpointer.durable(1e9)
  scheduler.pass(0)
  host.commit()
  await durable
  assert.deepEqual(checkpointer.refusals, [])
})

for (const then of ['slice', 'failure', 'void in the call'] as const) {
  test(`behind a record that the stack ended in, every key is in the epoch that is acknowledged, and the engine goes on: ${then}`, () => {
    const { scheduler, host, map, space, checkpointer, seen } = alone()
    for (let at = 0; at < 30; at++) map.set(`k${at}`, { at })
    const held = map.get('k2') as { at: number }
    quiet(checkpointer.checkpoint(1e9))
    const recorded = mock.method(space.rewrites, 'recorded', () => {
      if (then === 'void in the call') map.set('k2', held)
      checkpointer.outbox.begin().u32(7)
      throw new RangeError('Maximum call stack size exceeded')
    })
    map.get('k1')
    recorded.mock.restore()
    if (then === 'failure') host.fail(0)
    scheduler.pass(1000)
    assert.equal(checkpointer.outbox.encoding, false)
    host.commit()
    assert.ok(seen.includes('checkpoint') && !seen.includes('failed'), seen.join())
    assert.ok(seen.includes(then === 'failure' ? 'degraded' : 'voided'))
    assert.equal(host.keys(then === 'failure' ? 1 : 0), 30)
    assert.equal(checkpointer.dirty, false)
  })
}

test('what a transaction gives up to keep while it is looked over leaves no other value out', () => {
  const rig = new Rig()
  const map = rig.collection([['k', new Set([1])]])
  let called = (): void => {}
  const calling: ValueCodec = {
    ...tideCodec,
    encodeInto(into, value) {
      called()
      tideCodec.encodeInto(into, value)
    },
  }
  const caller = rig.collection([], calling)
  const transaction = new Transaction()
  rig.space.transaction = transaction
  rig.space.refresh()
  const { now } = rig.space
  const end = (): never => {
    throw new RangeError('Maximum call stack size exceeded')
  }
  /** `keepsNote`: not even what was noted of it can go. */
  const failing = (keepsNote: boolean): void => {
    const forget = keepsNote ? mock.method(Map.prototype as { delete(key: unknown): boolean }, 'delete', end) : undefined
    Object.assign(rig.space, { now: end })
    assert.throws(() => map.get('k'), RangeError)
    Object.assign(rig.space, { now })
    forget?.mock.restore()
  }
  failing(true)
  caller.set('calls', 1)
  map.set('bad', () => {})
  called = () => failing(false)
  assert.throws(() => transaction.validate(), { code: 'TIDEMARK_VALUE_REFUSED', key: 'bad' })
  // Changed behind that it is kept anew, and not what the one that was given up says.
  ;(map.get('k') as Set<number>).add(2)
  transaction.rollback()
  rig.space.endTransaction()
  assert.deepEqual(map.live, new Map([['k', new Set([1])]]))
})
