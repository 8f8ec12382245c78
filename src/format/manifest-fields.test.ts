/** What a manifest says is believed field by field, whoever wrote it and whatever its checksum says. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { attempt } from '../../test/support/attempt.ts'
import { manifest } from '../../test/support/manifest.ts'
import { TidemarkError } from '../base/errors.ts'
import { decodeManifest, encodeManifest, FOLDED_FORMAT, logName, segmentName } from './index.ts'

test('a manifest that is whole and impossible is refused, field by field, for what it is', () => {
  const { fold, young, base, retained } = JSON.parse(content()) as Record<string, unknown>
  assert.deepEqual(decodeManifest(changed('fold.bytes', 1501), 'm', FOLDED_FORMAT).fold?.bytes, 1501)
  const segment = (at: string): [string, unknown, string][] => [
    [at, 5, 'a segment'],
    [at, [], 'a segment'],
    [`${at}.file`, 'segment/3-1.seg', 'a segment file name'],
    [`${at}.file`, `../${segmentName(3, 1)}`, 'a segment file name'],
    [`${at}.bytes`, 0, 'the length of a segment'],
    [`${at}.sha256`, 'EF'.repeat(32), 'the sum of a segment'],
    [`${at}.describedAt`, -1, 'the description of a segment'],
    [`${at}.from`, -1, 'an epoch of a segment'],
    [`${at}.through`, 0, 'an epoch of a segment'],
    [`${at}.records`, 0, 'the records of a segment'],
    [`${at}.tombstones`, -1, 'the tombstones of a segment'],
    [`${at}.rawBytes`, 0, 'the raw bytes of a segment'],
    [`${at}.first`, null, 'a place'],
    [`${at}.first.cut`, false, 'the mark of a place'],
    [`${at}.first.collection`, -1, 'a place'],
    [`${at}.last.collection`, 2 ** 32, 'a place'],
    [`${at}.last.key`, 'zz', 'a place'],
    [`${at}.last.key`, '7', 'a place'],
    [`${at}.last.key`, 31, 'a place'],
  ]
  const rows: [path: string, value: unknown, what: string][] = [
    ['number', 0, 'the number'],
    ['number', 1.5, 'the number'],
    ['number', '12', 'the number'],
    ['number', 2 ** 32, 'the number'],
    ['storeId', 'AB'.repeat(16), 'the store id'],
    ['storeId', 'ab', 'the store id'],
    ['lineage', {}, 'the lineage'],
    ['lineage', [], 'the lineage'],
    ['lineage.0', 5, 'a lineage entry'],
    ['lineage.0.id', 'x', 'a lineage id'],
    ['lineage.0.forkEpoch', -1, 'a fork epoch'],
    ['token', 0, 'the token'],
    ['token', 2 ** 32, 'the token'],
    ['token', 2, 'the token of a segment'],
    ['writer', '', 'the writer'],
    ['format', 0, 'the format'],
    ['format', '2', 'the format'],
    ['createdBy', '', 'the creator'],
    ['createdBy', 'a\nb', 'the creator'],
    ['log', {}, 'the log'],
    ['log.0', 5, 'a log entry'],
    ['log.0.file', '../escape', 'a log file name'],
    ['log.0.file', logName(4, 1), 'the token of a log file'],
    ['log.0.file', logName(3, 2), 'a log file named twice'],
    ['log.0.end', null, 'an open file before the last'],
    ['log.0.end', 5, 'an end'],
    ['log.0.end.bytes', -1, 'an end'],
    ['log.0.end.epoch', -1, 'an end epoch'],
    ['log.0.end.digest', 'cd', 'an end digest'],
    ['log.1.end', { ...manifest.log[0]?.end, epoch: 4 }, 'the order of epochs'],
    ['catalogue', 5, 'the catalogue'],
    ['catalogue.epoch', -1, 'the epoch of the catalogue'],
    ['catalogue.collections.0.kind', 'list', 'a collection kind'],
    ['fold', 5, 'the fold point'],
    ['fold', [fold], 'the fold point'],
    ['fold.file', '../escape', 'the file of the fold point'],
    ['fold.bytes', -1, 'the fold point'],
    ['fold.epoch', 0, 'the epoch of the fold point'],
    ['fold.digest', 'cd', 'the digest of the fold point'],
    ['fold.timeMs', -1, 'the time of the fold point'],
    ['fold.nextId', 2 ** 32 + 1, 'the next id'],
    ['fold.catalogue', {}, 'the collections'],
    ['fold.catalogue.0', null, 'a collection'],
    ['fold.catalogue.0.id', 2 ** 32, 'a collection id'],
    ['fold.catalogue.0.kind', 'maps', 'a collection kind'],
    ['fold.catalogue.0.name', 5, 'a collection name'],
    ['fold.catalogue.0.codec', null, 'a codec name'],
    ['fold.catalogue.0.entries', -1, 'a number of entries'],
    ['fold.catalogue.0.bytes', 0.5, 'a number of bytes'],
    ['fold.catalogue.0.asOf', 0, 'the epoch of a collection'],
    ['fold.refused', 0, 'what was refused at the fold point'],
    ['young', { ...(young as object) }, 'the young segments'],
    ...segment('young.0'),
    ['base', { ...(base as object) }, 'the base'],
    ['base.1', 5, 'a range'],
    ['base.0.start', 5, 'a place'],
    ['base.1.start.key', 'ZZ', 'a place'],
    ['base.1.through', -1, 'the epoch of a range'],
    ['base.2', manifest.base[1], 'the order of the base'],
    ...segment('base.0.segment'),
    ['retained', { ...(retained as object) }, 'the retained points'],
    ['retained.0', 7, 'a retained point'],
    ['retained.0.number', 0, 'a retained manifest'],
    ['retained.0.epoch', -1, 'the epoch of a retained point'],
    ['retained.0.timeMs', -1, 'the time of a retained point'],
    ['retained.1', manifest.retained[0], 'the order of retained points'],
    ['retained.1', { number: 8, epoch: 4, timeMs: 0 }, 'the order of retained points'],
  ]
  assert.throws(() => decodeManifest(sealed('[]\n'), 'm', FOLDED_FORMAT), { message: 'm: the content is impossible' })
  for (const [path, value, what] of rows) {
    const result = attempt(() => decodeManifest(changed(path, value), 'm', FOLDED_FORMAT)) as TidemarkError
    assert.equal(result.message, `m: ${what} is impossible`, `${path}: ${JSON.stringify(value)}`)
    assert.equal(result.code, 'TIDEMARK_MANIFEST_DAMAGED')
  }
})

test('any bytes as a manifest give a typed error, and any content under a right checksum that or what is written so', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), raw => {
      assert.ok(attempt(() => decodeManifest(Buffer.from(raw), 'm', FOLDED_FORMAT)) instanceof TidemarkError)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.json(), text => {
      assert.ok(attempt(() => decodeManifest(sealed(text), 'm', FOLDED_FORMAT)) instanceof TidemarkError)
    }),
    { numRuns: 500 },
  )
  const number = fc.constantFrom(-1, -0, 0, 1, 9, 12, 1.5, 2 ** 32, 2 ** 53, 1e300)
  const value = fc.oneof(fc.jsonValue(), number, fc.constantFrom('', '../escape', 'ab'.repeat(32)), fc.constantFrom([], {}, null))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...pathsOf(JSON.parse(content()))), value), { minLength: 1, maxLength: 2 }), changes => {
      let text = content()
      for (const [path, to] of changes) text = withField(text, path, to)
      const bytes = sealed(text)
      const result = attempt(() => decodeManifest(bytes, 'm', FOLDED_FORMAT))
      if (!(result instanceof TidemarkError)) assert.ok(encodeManifest(result).equals(bytes))
    }),
    { numRuns: 2000 },
  )
})

/** The manifest of these tests as it is written, without its header line. */
function content(): string {
  const bytes = encodeManifest(manifest)
  return bytes.toString('utf8', bytes.indexOf(10) + 1)
}

/** Content under a right checksum. */
function sealed(text: string): Buffer {
  const body = Buffer.from(text)
  const sum = createHash('sha256').update(`tidemark-manifest 1 ${body.length}\n`).update(body).digest('hex')
  return Buffer.concat([Buffer.from(`tidemark-manifest 1 ${sum} ${body.length}\n`), body])
}

/** The content with another value at a path of names and places; as it is where an earlier change took that away. */
function withField(text: string, path: string, value: unknown): string {
  const root = JSON.parse(text) as Record<string, unknown>
  const names = path.split('.')
  let at: unknown = root
  for (const name of names.slice(0, -1)) at = (at as Record<string, unknown> | null | undefined)?.[name]
  if (typeof at === 'object' && at !== null) (at as Record<string, unknown>)[names.at(-1) as string] = value
  return `${JSON.stringify(root)}\n`
}

const changed = (path: string, value: unknown): Buffer => sealed(withField(content(), path, value))

function pathsOf(value: unknown, before = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => [`${before}${name}`, ...pathsOf(one, `${before}${name}.`)])
}
