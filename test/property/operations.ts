/** Every operation of a program, done to the store and to the model in step. All of it is synchronous: one turn of the event loop. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { Key } from '../../src/codec/index.ts'
import { ask, closeWithin } from './asks.ts'
import { assertRejection, attempt, checkpoint, patienceOf } from './durability.ts'
import { INTENDED, isUnstorable, read, remove, write } from './entries.ts'
import { Expected } from './expected.ts'
import { inject } from './faults.ts'
import type { Life } from './life.ts'
import { listPoints, lookBeside } from './points.ts'
import { CELL, NAMES, type Op } from './program.ts'
import { retake, useTaken } from './retaken.ts'
import { alter, isThing, keyOf, makeValue, Unstorable, unstorableOf } from './values.ts'
import { insertWithin, updateWithin } from './within.ts'

const nameOf = (m: number): string => NAMES[m % NAMES.length] as string
const CELL_KEY = 'value'
const HOUR_MS = 3_600_000

export function perform(life: Life, op: Op): void {
  // A listener closed it; that of a barrier may still write.
  if (life.ended !== undefined && !life.inBarrier) return
  life.totals.operations++
  if ('m' in op) life.map(nameOf(op.m))
  switch (op.op) {
    case 'set':
      write(life, nameOf(op.m), keyOf(op.m, op.k), makeValue(op.v, life.serial++))
      return
    case 'mutate':
      mutate(life, nameOf(op.m), keyOf(op.m, op.k))
      return
    case 'update':
      update(life, op, nameOf(op.m), keyOf(op.m, op.k))
      return
    case 'within':
      updateWithin(life, op, nameOf(op.m), keyOf(op.m, op.k))
      return
    case 'insert':
      insertWithin(life, op, nameOf(op.m), keyOf(op.m, op.k))
      return
    case 'beside':
      if (life.begun) life.await(lookBeside(life, op.ms), (_, error) => life.mayFail(error))
      return
    case 'points':
      if (!life.closing) life.await(listPoints(life), (_, error) => life.mayFail(error))
      return
    case 'ask':
      ask(life)
      return
    case 'close':
      closeWithin(life)
      return
    case 'retake':
      retake(life, op)
      return
    case 'taken':
      useTaken(life, op)
      return
    case 'delete':
      remove(life, nameOf(op.m), keyOf(op.m, op.k))
      return
    case 'reinsert':
      remove(life, nameOf(op.m), keyOf(op.m, op.k))
      write(life, nameOf(op.m), keyOf(op.m, op.k), makeValue(op.k, life.serial++))
      return
    case 'hold-reference': {
      const object = read(life, nameOf(op.m), keyOf(op.m, op.k))
      if (!isThing(object) || isUnstorable(life, nameOf(op.m), keyOf(op.m, op.k))) return
      life.references.push({ name: nameOf(op.m), key: keyOf(op.m, op.k), object })
      return
    }
    case 'grasp':
      // Written before the barrier, held and set again behind it.
      for (let n = 0; n < 3; n++) {
        const object = makeValue(4 + n, life.serial++) as object
        write(life, nameOf(op.m), keyOf(op.m, op.k + n), object)
        life.references.push({ name: nameOf(op.m), key: keyOf(op.m, op.k + n), object })
      }
      return
    case 'set-reference':
      setReference(life, op)
      return
    case 'burst':
      for (let n = 0; n < op.count; n++)
        write(life, nameOf(op.m), keyOf(op.m, (op.k + n) % 170), makeValue(op.v % 4 === 0 ? 8 : 0, life.serial++))
      return
    case 'sweep':
      for (let n = 0; n < op.count; n++) remove(life, nameOf(op.m), keyOf(op.m, (op.k + n) % 170))
      return
    case 'iterate':
      iterate(life, op)
      return
    case 'iterator':
      heldIterator(life, op)
      return
    case 'clear':
      life.map(nameOf(op.m)).clear()
      life.objects.emptied(nameOf(op.m))
      life.model.clear(nameOf(op.m))
      return
    case 'drop': {
      const name = nameOf(op.m)
      assert.equal(life.store.delete(name), true)
      life.objects.emptied(name)
      life.iterators = life.iterators.filter(held => held.name !== name)
      life.model.drop(name)
      return
    }
    case 'refused':
      write(life, nameOf(op.m), keyOf(op.m, op.k), unstorableOf(op.v), new Unstorable('by its kind'))
      return
    case 'cell':
      cell(life, op)
      return
    case 'no-key': {
      const map = life.map(nameOf(op.m))
      const key = [{}, undefined, Symbol('no'), 'x'.repeat(70_000), 1n << 600_000n][op.k % 5] as Key
      assert.throws(() => map.set(key, 1), { code: 'TIDEMARK_KEY' })
      assert.equal(map.has(key), false)
      return
    }
    case 'transaction':
      transaction(life, op)
      return
    case 'checkpoint':
      checkpoint(life, op.callers)
      return
    case 'durable': {
      const copy = life.model.copy(0)
      attempt(life, () => {
        life.await(life.store.durable({ timeoutMs: patienceOf(life) }), (_, error) => {
          if (error === undefined) life.assertDurable(copy, 'durable')
          else assertRejection(life, error, copy)
        })
      })
      return
    }
    case 'hold':
      hold(life, op)
      return
    case 'fault':
      inject(life, op.kind, op.ms)
      return
    case 'jump':
      life.scheduler.clock.jump(op.hours * HOUR_MS)
      return
    case 'check':
      life.check(nameOf(op.m))
      return
  }
}

// ---- single entries

/** What everybody does: get, change in place, set, all in one turn. */
function mutate(life: Life, name: string, key: Key): void {
  const value = read(life, name, key)
  if (!isThing(value) || isUnstorable(life, name, key)) return
  alter(value, life.serial++)
  write(life, name, key, value)
}

function update(life: Life, op: Op & { op: 'update' }, name: string, key: Key): void {
  const map = life.map(name)
  const before = read(life, name, key)
  const serial = life.serial++
  if (op.how === 'async') {
    assert.throws(() => map.update(key, (async () => {}) as unknown as () => undefined), { code: 'TIDEMARK_ARGUMENT' })
    if (map.has(key) && typeof before === 'object' && before !== null) life.objects.written(name, key, before)
    return
  }
  if (op.how === 'replace' || !isThing(before) || isUnstorable(life, name, key)) {
    const value = makeValue(op.k + serial, serial) ?? serial
    assert.equal(
      map.update(key, () => value),
      value,
    )
    life.objects.written(name, key, value)
    life.model.set(name, key, value)
    return
  }
  const run = (): unknown =>
    map.update(key, value => {
      assert.equal(value, before)
      alter(before, serial)
      if (op.how === 'throw') throw INTENDED
    })
  if (op.how === 'throw') assert.throws(run, INTENDED)
  else assert.equal(run(), before)
  life.objects.written(name, key, before)
  life.model.set(name, key, before)
}

/** An object held since some earlier turn is changed and set: everyday code that would tear the cut. */
function setReference(life: Life, op: Op & { op: 'set-reference' }): void {
  if (life.references.length === 0) return
  // Mostly one of the latest.
  const recent = op.r < 24 ? Math.min(6, life.references.length) : life.references.length
  const { name, key, object } = life.references[life.references.length - 1 - (op.r % recent)] as Life['references'][number]
  if (!isThing(object)) return
  if (life.objects.isStale(name, key, object)) {
    // Not changed: what is changed before a transaction that then refuses it was never declared.
    life.totals.stale++
    assert.throws(() => (name === CELL ? life.cell().set(object) : life.map(name).set(key, object)), { code: 'TIDEMARK_TRANSACTION_STALE' })
    return
  }
  if (op.alter) alter(object, life.serial++)
  if (name !== CELL) life.map(name)
  write(life, name, key, object)
}

function cell(life: Life, op: Op & { op: 'cell' }): void {
  const box = life.cell()
  if (op.how === 'set') {
    write(life, CELL, CELL_KEY, makeValue(op.v, life.serial++))
    return
  }
  const value = read(life, CELL, CELL_KEY)
  if (op.how === 'get') {
    if (isThing(value)) life.references.push({ name: CELL, key: CELL_KEY, object: value })
    return
  }
  const serial = life.serial++
  if (isThing(value)) box.update(() => alter(value, serial))
  else box.update(() => serial)
  const after = isThing(value) ? value : serial
  life.objects.written(CELL, CELL_KEY, after)
  life.model.set(CELL, CELL_KEY, after)
}

// ---- iteration

function iterate(life: Life, op: Op & { op: 'iterate' }): void {
  const name = nameOf(op.m)
  const map = life.map(name)
  life.align(name)
  const expected = new Expected(life, name, op.act === 'none')
  let visited = 0
  const visit = (key: Key | undefined, value: unknown): void => {
    const want = expected.next(key)
    // What is scanned may be an object that nobody else has.
    if (op.how === 'scan' && !(isThing(value) && life.objects.has(name, want, value))) life.model.assertValue(name, want, value)
    else if (op.how !== 'keys') life.given(name, want, value)
    if (visited++ >= op.count || op.act === 'none') return
    if (op.act === 'delete') remove(life, name, want)
    else if (op.act === 'insert') write(life, name, keyOf(op.m, 200 + (life.serial % 50)), makeValue(visited, life.serial++))
    else if (op.how !== 'keys' && op.how !== 'scan' && isThing(value) && !isUnstorable(life, name, want)) {
      alter(value, life.serial++)
      write(life, name, want, value)
    }
  }
  if (op.how === 'forEach') map.forEach((value, key) => void visit(key, value))
  else if (op.how === 'keys') for (const key of map.keys()) visit(key, undefined)
  else if (op.how === 'values' && !life.evicts) {
    for (const value of map.values()) {
      visit(undefined, value)
      if (visited > op.count) break
    }
  } else {
    for (const [key, value] of op.how === 'of' ? map : op.how === 'scan' ? map.scan() : map.entries()) {
      visit(key, value)
      if (visited > op.count) break
    }
  }
  if (op.how === 'forEach' || op.how === 'keys') expected.end()
}

/** An iterator that lives over turns and barriers. */
function heldIterator(life: Life, op: Op & { op: 'iterator' }): void {
  const name = nameOf(op.m)
  let held = life.iterators.find(other => other.name === name)
  if (held === undefined) {
    life.map(name)
    life.align(name)
    held = { name, mine: life.map(name).entries(), models: life.model.collection(name, 'map').entries.entries() }
    life.iterators.push(held)
  }
  for (let n = 0; n < op.count; n++) {
    const mine: IteratorResult<[Key, unknown]> = held.mine.next()
    const models: IteratorResult<[Key, unknown]> = life.evicts ? mine : held.models.next()
    assert.equal(mine.done ?? false, models.done ?? false, `an iterator of '${name}' ends where a Map's does`)
    if (mine.done === true) {
      life.iterators = life.iterators.filter(other => other !== held)
      return
    }
    const [key, value] = mine.value
    assert.ok(Object.is(key, (models.value as [Key, unknown])[0]), `a held iterator of '${name}'`)
    life.given(name, key, value)
    if (n > 0 || !isThing(value) || isUnstorable(life, name, key)) continue
    alter(value, life.serial++)
    write(life, name, key, value)
  }
}

// ---- transactions

function transaction(life: Life, op: Op & { op: 'transaction' }): void {
  for (const name of NAMES) life.map(name)
  life.cell()
  const restoreModel = life.model.save()
  const restoreObjects = life.objects.begin()
  const all = (ops: readonly Op[]): void => {
    for (const one of ops) perform(life, one)
    // A listener of the last barrier of a store may still write.
    const code = life.closing ? 'TIDEMARK_CLOSED' : 'TIDEMARK_INSIDE'
    assert.throws(() => life.store.checkpoint(), { code })
    assert.throws(() => life.store.durable(), { code })
  }
  const half = op.ops.length >> 1
  const throws = op.end === 'throw' || (op.end === 'nested' && half % 2 === 1)
  let error: unknown
  life.inTransaction = true
  try {
    life.store.transaction(() => {
      if (op.end !== 'nested') all(op.ops)
      else {
        all(op.ops.slice(0, half))
        life.store.transaction(() => {
          all(op.ops.slice(half))
          if (throws) throw INTENDED
        })
      }
      if (throws) throw INTENDED
      return (op.end === 'async' ? Promise.resolve() : undefined) as undefined
    })
  } catch (cause) {
    error = cause
  }
  life.inTransaction = false
  const refused = life.objects.writtenNow().some(([name, key]) => isUnstorable(life, name, key))
  const deleted = life.objects.end(error !== undefined, restoreObjects)
  if (throws) assert.equal(error, INTENDED)
  else {
    const code = op.end === 'async' ? 'TIDEMARK_TRANSACTION_ASYNC' : refused ? 'TIDEMARK_VALUE_REFUSED' : undefined
    if (code === undefined && error !== undefined) throw error
    assert.equal((error as { code?: string } | undefined)?.code, code)
  }
  if (error === undefined) return
  life.totals.rollbacks++
  restoreModel()
  life.unalign()
  life.iterators = []
  for (const name of deleted) life.model.reorder(name, [...life.map(name).keys()])
  // Looking hands everything out, and so captures it: now and then only.
  if (life.serial % 3 === 0) life.check()
}

// ---- what spans turns

function hold(life: Life, op: Op & { op: 'hold' }): void {
  if (life.holds.size > 2) return
  // It begins now, or once a barrier that waits has fallen.
  const mine = { broken: false, untilMs: 0 }
  const held = life.store.hold(
    async () => {
      if (life.closing || life.rival !== undefined) return
      mine.untilMs = life.scheduler.clock.monotonic() + op.msMax
      life.holds.add(mine)
      try {
        for (const one of op.ops) perform(life, one)
        assert.throws(() => life.store.checkpoint(), { code: 'TIDEMARK_INSIDE' })
        await life.scheduler.sleep(op.ms)
        if (life.closing || life.rival !== undefined) return
        for (const one of op.ops) perform(life, one)
        // One that ran past its time is no hold any more.
        if (!mine.broken) assert.throws(() => life.store.durable(), { code: 'TIDEMARK_INSIDE' })
      } finally {
        life.holds.delete(mine)
      }
    },
    { msMax: op.msMax },
  )
  life.await(held, (_, error) => {
    // One that waited for a barrier begins no more; and what is not in the heap cannot be read without power.
    if (error === undefined || (life.closing && hasCode(error, 'TIDEMARK_CLOSED')) || life.storage.off) return
    throw error
  })
}
