import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { BLOCK_AGE_MS, BLOCK_EARLY_BYTES, BLOCK_RAW_BYTES, IN_FLIGHT_BYTES_MAX } from '../base/limits.ts'
import { type Block, Outbox } from './outbox.ts'

function write(outbox: Outbox, record: Uint8Array): void {
  const writer = outbox.begin()
  writer.raw(record)
  outbox.end(writer, record.length)
}

/** What the channel to a thread does: the memory of the block, where there is some, is no longer here. */
function transfer({ bytes }: Block): Buffer {
  const memory = bytes.buffer as ArrayBuffer
  return Buffer.from(structuredClone(bytes, { transfer: memory.byteLength > 0 ? [memory] : [] }))
}

test('a block never shares memory with the one being filled, also when there was nothing to take', () => {
  const blocks: Buffer[] = []
  const outbox = new Outbox(block => blocks.push(transfer(block)))
  const nothing = outbox.take()
  assert.deepEqual([nothing.bytes.length, nothing.records], [0, 0])
  transfer(nothing)
  write(outbox, Buffer.from('one'))
  const one = outbox.take()
  assert.equal(one.records, 1)
  // Taken and not yet sent, while the next ones are filled.
  assert.equal(outbox.take().records, 0)
  write(outbox, Buffer.from('two'))
  assert.equal(transfer(one).toString(), 'one')
  transfer(outbox.take())
  write(outbox, Buffer.alloc(BLOCK_RAW_BYTES, 7))
  assert.deepEqual(blocks, [Buffer.alloc(BLOCK_RAW_BYTES, 7)])
  assert.equal(outbox.take().records, 0)
  write(outbox, Buffer.from('three'))
  assert.equal(transfer(outbox.take()).toString(), 'three')
})

test('taking nothing while a record is being written leaves that record whole', () => {
  const outbox = new Outbox(() => assert.fail('no block is full'))
  const writer = outbox.begin()
  writer.raw(Buffer.from('first half, '))
  assert.equal(transfer(outbox.take()).length, 0)
  writer.raw(Buffer.from('second half'))
  outbox.end(writer, writer.length)
  const { bytes, records } = outbox.take()
  assert.equal(Buffer.from(bytes).toString(), 'first half, second half')
  assert.equal(records, 1)
})

test('nothing to take hands over memory that nobody fills, and counts nothing as in flight', () => {
  const outbox = new Outbox(() => assert.fail('no block is full'))
  const nothing = outbox.take()
  assert.equal(outbox.inFlight, 0)
  assert.equal(nothing.bytes.buffer.byteLength, 0)
  write(outbox, Buffer.from('one'))
  assert.equal(outbox.take().bytes.length, 3)
  assert.equal(outbox.inFlight, 3)
  outbox.credit(3)
  assert.equal(outbox.inFlight, 0)
})

test('a record begun while another is being written follows it, whole', () => {
  const outbox = new Outbox(() => assert.fail('no block is full'))
  const outer = outbox.begin()
  outer.raw(Buffer.from('out'))
  write(outbox, Buffer.from('inner'))
  outer.raw(Buffer.from('er'))
  outbox.end(outer, 5)
  const { bytes, records } = outbox.take()
  assert.equal(Buffer.from(bytes).toString(), 'outerinner')
  assert.equal(records, 2)
})

test('what a large value made room for, and was not written, is given back', () => {
  const outbox = new Outbox(() => {})
  const room = (): number => {
    const writer = outbox.begin()
    const { length } = writer.bytes
    outbox.end(writer, 0)
    return length
  }
  const first = room()
  const large = Buffer.alloc(64 * BLOCK_RAW_BYTES)
  const refuse = (): void => {
    const writer = outbox.begin()
    const start = writer.length
    writer.raw(large)
    writer.length = start
    outbox.end(writer, 0)
  }
  refuse()
  assert.equal(room(), first)

  write(outbox, Buffer.from('one'))
  refuse()
  assert.ok(room() > large.length, 'the block being filled stays where it is')
  outbox.reset()
  assert.equal(room(), first, 'what it held was given up')

  write(outbox, Buffer.from('two'))
  assert.equal(transfer(outbox.take()).toString(), 'two')
})

test('a record that was written while a large one was refused is whole', () => {
  const outbox = new Outbox(() => {})
  const writer = outbox.begin()
  writer.raw(Buffer.alloc(64 * BLOCK_RAW_BYTES))
  write(outbox, Buffer.from('aside'))
  writer.length = 0
  outbox.end(writer, 0)
  const { bytes, records } = outbox.take()
  assert.equal(Buffer.from(bytes).toString(), 'aside')
  assert.equal(records, 1)
  assert.ok(bytes.buffer.byteLength < 8 * BLOCK_RAW_BYTES)
})

test('behind a block that could not be sent nothing of it is left, nor of what was written beside it', () => {
  let sends = false
  const outbox = new Outbox(() => {
    if (!sends) throw new Error('no way')
  })
  const writer = outbox.begin()
  write(outbox, Buffer.from('aside'))
  writer.raw(Buffer.alloc(BLOCK_RAW_BYTES))
  assert.throws(() => outbox.end(writer, BLOCK_RAW_BYTES), /no way/)
  outbox.reset()
  assert.deepEqual([outbox.encoding, outbox.inFlight], [false, 0])
  sends = true
  write(outbox, Buffer.from('next'))
  const { bytes, records } = outbox.take()
  assert.deepEqual([Buffer.from(bytes).toString(), records], ['next', 1])
})

test('a block that could not be sent is not in flight: no credit comes for it', () => {
  let sends = true
  const outbox = new Outbox(() => {
    if (!sends) throw new Error('no way')
  })
  write(outbox, Buffer.alloc(BLOCK_RAW_BYTES))
  sends = false
  assert.throws(() => write(outbox, Buffer.alloc(IN_FLIGHT_BYTES_MAX)), /no way/)
  assert.deepEqual([outbox.full, outbox.inFlight], [false, BLOCK_RAW_BYTES])
  write(outbox, Buffer.alloc(BLOCK_EARLY_BYTES))
  outbox.sendEarly(0)
  assert.throws(() => outbox.sendEarly(BLOCK_AGE_MS), /no way/)
  assert.equal(outbox.inFlight, BLOCK_RAW_BYTES)
})

test('where there is no memory for another block, or beside one, that is told as such, and no record counts as begun', () => {
  const outbox = new Outbox(() => {})
  const writer = outbox.begin()
  const allocate = mock.method(Buffer, 'allocUnsafeSlow', () => {
    throw new RangeError('Array buffer allocation failed')
  })
  try {
    assert.throws(() => outbox.begin(), /allocation/)
    writer.raw(Buffer.from('one'))
    outbox.end(writer, 3)
    assert.equal(outbox.encoding, false)
    assert.throws(() => outbox.take(), { code: 'TIDEMARK_STORAGE', message: /block.*ENOMEM.*allocation/, hint: /memory/ })
  } finally {
    allocate.mock.restore()
  }
  assert.equal(transfer(outbox.take()).toString(), 'one')
})
