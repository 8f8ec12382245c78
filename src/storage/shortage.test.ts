import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isErrno, systemError, unpackError } from './errors.ts'
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
