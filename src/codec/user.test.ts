import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { ByteWriter } from '../base/bytes.ts'
import { type Codec, plainTideCodec, tideCodec, wrapCodec } from './index.ts'

const json: Codec = {
  name: 'json',
  encode: value => Buffer.from(JSON.stringify(value)),
  decode: bytes => JSON.parse(String(Buffer.from(bytes))),
}

test('a codec of the user writes and reads in place', () => {
  const codec = wrapCodec(json)
  const writer = new ByteWriter(1)
  writer.u8(7)
  codec.encodeInto(writer, { a: 1 })
  writer.u8(8)
  assert.equal(codec.name, 'json')
  assert.deepEqual(codec.decode(writer.view(), 1, writer.length - 1), { a: 1 })
})

test('methods keep their object, and the bytes given to decode are its own', () => {
  class Counting implements Codec<Uint8Array> {
    readonly name = 'counting'
    calls = 0
    encode(value: Uint8Array) {
      this.calls++
      return value
    }
    decode(bytes: Uint8Array) {
      this.calls++
      bytes.fill(9)
      return bytes
    }
  }
  const mine = new Counting()
  const codec = wrapCodec(mine)
  const writer = new ByteWriter()
  codec.encodeInto(writer, new Uint8Array([1, 2]))
  assert.deepEqual([...(codec.decode(writer.view(), 0, 2) as Uint8Array)], [9, 9])
  assert.deepEqual([...writer.view()], [1, 2])
  assert.equal(mine.calls, 2)
})

test('what a codec throws or returns wrongly is typed, with the cause', () => {
  const cause = new Error('mine')
  const fail = () => {
    throw cause
  }
  const writer = new ByteWriter()
  assert.throws(() => wrapCodec({ ...json, encode: fail }).encodeInto(writer, 1), { code: 'TIDEMARK_VALUE_REFUSED', cause, hint: /./ })
  const elsewhere = () => {
    throw runInNewContext("new Error('of another realm')")
  }
  assert.throws(() => wrapCodec({ ...json, encode: elsewhere }).encodeInto(writer, 1), { message: /of another realm$/ })
  assert.throws(() => wrapCodec({ ...json, decode: fail }).decode(Buffer.alloc(1), 0, 1), {
    code: 'TIDEMARK_VALUE_DAMAGED',
    cause,
    hint: /./,
  })
  for (const result of ['text', undefined, [1], new ArrayBuffer(1), Promise.resolve(new Uint8Array(1))]) {
    const codec = wrapCodec({ ...json, encode: () => result as unknown as Uint8Array })
    assert.throws(() => codec.encodeInto(writer, 1), { code: 'TIDEMARK_CODEC', hint: /./ })
  }
  assert.equal(writer.length, 0)
  for (const codec of [
    null,
    undefined,
    {},
    { ...json, name: '' },
    { ...json, name: 1 },
    { ...json, encode: 1 },
    { name: 'a', encode: fail },
  ]) {
    assert.throws(() => wrapCodec(codec as unknown as Codec), { code: 'TIDEMARK_CODEC', hint: /./ })
  }
})

/** Throws for every property that it has not: not all code may ask for `then`. */
function strict<T extends object>(target: T): T {
  return new Proxy(target, {
    get(of, property, receiver) {
      if (!(property in of)) throw new Error('no such property')
      return Reflect.get(of, property, receiver)
    },
  })
}

test('what a codec gives may throw when it is asked for what it has not: it is no promise', () => {
  const value = strict({ a: 1 })
  const codec = wrapCodec({ name: 'strict', encode: () => strict({}) as Uint8Array, decode: () => value })
  assert.equal(codec.decode(Buffer.alloc(1), 0, 1), value)
  const writer = new ByteWriter()
  assert.throws(() => codec.encodeInto(writer, 1), { code: 'TIDEMARK_CODEC', hint: /./ })
  const nothing: unknown = null
  const getPrototypeOf = () => {
    throw nothing
  }
  const odd = new Proxy(new Uint8Array(1), { getPrototypeOf })
  assert.throws(() => wrapCodec({ ...json, encode: () => odd }).encodeInto(writer, 1), { code: 'TIDEMARK_CODEC', hint: /./ })
})

test('a codec may throw what is no error', () => {
  for (const thrown of [null, undefined, 'text', 0]) {
    const fail = () => {
      throw thrown
    }
    assert.throws(() => wrapCodec({ ...json, encode: fail }).encodeInto(new ByteWriter(), 1), { code: 'TIDEMARK_VALUE_REFUSED' })
    assert.throws(() => wrapCodec({ ...json, decode: fail }).decode(Buffer.alloc(1), 0, 1), { code: 'TIDEMARK_VALUE_DAMAGED' })
  }
})

test('a function is no value, whatever the codec makes of it', () => {
  const writer = new ByteWriter()
  const codec = wrapCodec({ name: 'functions', encode: () => Buffer.from('bytes'), decode: () => () => 1 })
  for (const value of [() => 1, class {}, new Proxy(() => 1, {})]) {
    assert.throws(() => codec.encodeInto(writer, value), { code: 'TIDEMARK_VALUE_REFUSED', message: /function.*any codec/, hint: /./ })
  }
  assert.equal(writer.length, 0)
  assert.throws(() => codec.decode(Buffer.from('bytes'), 0, 5), { code: 'TIDEMARK_CODEC', message: /function/, hint: /./ })
})

test('the name of the default codec is that codec alone, and a name comes back from the disk as it went there', () => {
  for (const name of ['tide1', '\ud800', 'a\udc00b']) {
    assert.throws(() => wrapCodec({ ...json, name }), { code: 'TIDEMARK_CODEC', hint: /./ })
  }
  assert.throws(() => wrapCodec({ ...plainTideCodec }), { code: 'TIDEMARK_CODEC' })
  assert.equal(wrapCodec(plainTideCodec), tideCodec)
  assert.equal(wrapCodec({ ...json, name: '😀' }).name, '😀')
})
