import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import { endedBy, handOverError, isErrno, mayStayUnread, shortageError, storageError, systemError, unpackError } from './errors.ts'
import { isShortage, shortageIn } from './shortage.ts'

const dlopen = (text: string): Error => Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' })

test('what a library could not be loaded for passes, by the text of either C library; what stays is no shortage', () => {
  for (const [error, name] of [
    [systemError('ENFILE', 'open', 'full'), 'ENFILE'],
    [dlopen('Too many open files in system'), 'ENFILE'],
    [dlopen('cannot open shared object file: Too many open files'), 'EMFILE'],
    [dlopen('No file descriptors available'), 'EMFILE'],
    [dlopen('failed to map segment: Cannot allocate memory'), 'ENOMEM'],
    [dlopen('Out of memory'), 'ENOMEM'],
    [new Error('no binding', { cause: new Error('of musl', { cause: dlopen('Too many open files') }) }), 'EMFILE'],
  ] as const) {
    const shortage = shortageIn(error)
    assert.ok(isShortage(shortage) && isErrno(shortage, name), error.message)
    // Whoever unpacks a block tells of its file.
    const told = unpackError('segment/1', shortage) as { code?: unknown; file?: unknown }
    assert.deepEqual([told.code, told.file], ['TIDEMARK_STORAGE', 'segment/1'])
    assert.ok(isErrno(told, name))
  }
  for (const error of [
    dlopen('cannot allocate memory in static TLS block'),
    dlopen('version `GLIBC_2.38` not found'),
    new Error('Out of memory'),
    systemError('ENOENT', 'open', 'none'),
    'Too many open files',
    undefined,
  ]) {
    assert.equal(shortageIn(error), undefined)
    assert.equal(isShortage(error), false)
  }
})

test('want of memory is told as that of the system, whatever met it; a full stack and a length that is too much are none', () => {
  const wanting = [
    new RangeError('Array buffer allocation failed'),
    new RangeError('WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance'),
    Object.assign(new Error('no memory'), { code: 'ERR_MEMORY_ALLOCATION_FAILED' }),
    new DOMException('Data cannot be cloned, out of memory.', 'DataCloneError'),
    // As Node.js throws it for who runs in a context, such as tests of Jest.
    runInNewContext("new RangeError('Array buffer allocation failed')") as Error,
    runInNewContext("Object.assign(new Error('no memory'), { code: 'ERR_MEMORY_ALLOCATION_FAILED' })") as Error,
    // A DOMException there: no native error, and of another `Error`.
    runInNewContext("Object.assign(Object.create(Error.prototype), { name: 'DataCloneError', message: 'out of memory' })") as Error,
  ]
  for (const cause of wanting) {
    assert.ok(isAllocationFailure(cause), String(cause))
    for (const told of [handOverError(cause), shortageError('work', cause), storageError('read', 'log/1', cause)]) {
      assert.ok(isErrno(told, 'ENOMEM'))
      assert.equal(mayStayUnread(told), false)
      const { code, message, hint } = told as { code?: unknown; message: string; hint?: string }
      assert.deepEqual([code, message.includes(cause.message), hint], ['TIDEMARK_STORAGE', true, 'the system is out of memory'])
      assert.equal(isAllocationFailure(told), false)
    }
  }
  for (const error of [
    new RangeError('Maximum call stack size exceeded'),
    runInNewContext("new RangeError('Maximum call stack size exceeded')"),
    new RangeError('Invalid array length'),
    new RangeError('Invalid typed array length: -1'),
    Object.assign(new RangeError('The value of "size" is out of range'), { code: 'ERR_OUT_OF_RANGE' }),
    new Error('allocation failed'),
    null,
    'Array buffer allocation failed',
  ]) {
    assert.equal(isAllocationFailure(error), false, String(error))
    assert.equal(shortageError('work', error), error)
  }
})

test('a file that may not grow any more is told with the limit that it met, and a call that ends with it does not go on', () => {
  const refused = storageError('append', 'log/1', systemError('EFBIG', 'write'))
  assert.match(refused.hint ?? '', /ulimit -f.*commits go on/)
  assert.match((endedBy(refused) as { hint?: string }).hint ?? '', /ulimit -f.*then try again/)
})
