/** What import refuses, and what is there then. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { defaultCodec, type Store } from 'tidemark'
import { TidemarkError } from '../src/base/errors.ts'
import { Intake } from '../src/tools/import.ts'
import { type Line, LineReader } from '../src/tools/lines.ts'
import { say } from '../src/tools/values.ts'
import { cli, fails, json, LINE, make, mounts, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

test('import names the line that is no UTF-8, or that the store refuses, and says what is stored', t => {
  const line = LINE
  const deep = `${'['.repeat(1001)}${']'.repeat(1001)}`
  const cases: [Buffer | string, RegExp][] = [
    [Buffer.from('"\xff"\n', 'latin1'), /line 1002 is none of an export: .*utf-8/],
    [Buffer.from('{"collection":"a","kind":"map","key":"\xc3', 'latin1'), /line 1002 is none of an export: .*utf-8/],
    [
      '{"collection":"a","kind":"value","key":"value","value":1}\n',
      /line 1002 is refused: 'a' is a map, not a value.*\nhint: choose another name/,
    ],
    ['{"collection":"a","kind":"map","codec":"own"}\n', /line 1002 is refused: .*own/],
    ['{"collection":"","kind":"map","key":"k","value":1}\n', /line 1002 is refused: a collection's name must not be empty/],
    ['{"collection":"b","kind":"map","codec":""}\n', /line 1002 is refused: a codec has a name/],
    [`{"collection":"b","kind":"map","key":7,"value":${deep}}\n${LINE}`, /line 1002 is refused: .*nest.*/],
    [`${LINE}{"collection":"b","kind":"value","key":"value","value":${deep}}\n${LINE}`, /line 1003 is refused: .*nest.*/],
    [`{"collection":"b","kind":"map","key":"${'x'.repeat(70_000)}","value":1}\n`, /line 1002 is refused: .*key/],
  ]
  for (const [bad, says] of cases) {
    const { status, err } = run(['import', temporaryFolder(t)], Buffer.concat([Buffer.from(`${line.repeat(1000)}\n`), Buffer.from(bad)]))
    assert.equal(status, 1, err)
    assert.match(err, says)
    assert.match(err, /the 1000 entries of the batches before it are stored/)
  }
})

test('import refuses a line with a field that is none of an entry: an entry whose key has another name is not a collection without entries', t => {
  const folder = temporaryFolder(t)
  for (const [line, field] of [
    ['{"collection":"a","kind":"map","Key":"k","Value":1}', 'Key'],
    ['{"collection":"a","kind":"map","Codec":"own","key":"k","value":1}', 'Codec'],
    ['{"collection":"a","kind":"map","key":"k","value":1,"ttl":7}', 'ttl'],
  ]) {
    const { status, err } = run(['import', folder], `${LINE}${line}\n`)
    assert.equal(status, 1, line)
    assert.match(err, new RegExp(`line 2 is none of an export: it has a field '${field}'`))
  }
})

test('import refuses a number as a key that is another one once it is read, and takes those that an export may hold', async () => {
  const codec = await defaultCodec()
  const keyOf = async (line: string): Promise<unknown> => {
    const lines: Line[] = []
    for await (const found of new LineReader(codec, () => 'nothing is stored').read(Readable.from([Buffer.from(line)]))) lines.push(found)
    return lines[0]?.entry?.key
  }
  const lineOf = (key: string): string => `{"collection":"a\\"key","kind":"map", "key" :${key} ,"value":{"key":9007199254740993}}\n`
  for (const key of [
    '9007199254740993',
    '-9007199254740993',
    '9.007199254740993e15',
    '1e999',
    '-1e999',
    '100000000000000000000001',
    '1e-400',
    '9007199254740991.3',
    '1.00000000000000000001',
  ])
    await assert.rejects(
      keyOf(lineOf(key)),
      { message: /line 1 is none of an export: the number .* of its key is read as .*/, status: 1 },
      key,
    )
  const taken = [0, -7, 2 ** 53, 2 ** 60, -(2 ** 63), 1e21, 1.5e300, Number.MAX_VALUE, 0.1, 5e-324, 9007199254740991]
  for (const key of taken) assert.equal(await keyOf(lineOf(JSON.stringify(key))), key)
  assert.equal(await keyOf(lineOf('9007199254740992')), 2 ** 53)
  for (const key of ['0.0', '-0', '0e5', '7.0', '70e-1', '7E0', '1.5e1']) assert.equal(await keyOf(lineOf(key)), Number(key))
  const bigint = JSON.stringify(say(codec, 9007199254740993n))
  assert.equal(await keyOf(lineOf(bigint)), 9007199254740993n)
  await assert.rejects(keyOf(lineOf('9007199254740993')), error => (error as Error).message.endsWith(`as a bigint it is ${bigint}`))
})

test('a batch that is refused leaves none of its collections behind, and none that was there is touched', async t => {
  const folder = temporaryFolder(t)
  const lines = Array.from({ length: 1000 }, (_, key) => JSON.stringify({ collection: 'a', kind: 'map', key, value: key }))
  const long = JSON.stringify({ collection: 'a', kind: 'map', key: 'x'.repeat(70_000), value: 1 })
  const wrong = '{"collection":"b","kind":"value","key":"value","value":1}'
  assert.equal(run(['import', folder], '{"collection":"c","kind":"map"}').status, 0)
  const bad = run(['import', folder], [...lines, '{"collection":"c","kind":"map","key":1,"value":1}', wrong, long].join('\n'))
  assert.equal(bad.status, 1)
  assert.match(bad.err, /line 1003 is refused/)
  const { collections } = json('status', folder) as { collections: { name: string; entries: number }[] }
  assert.deepEqual(
    collections.map(({ name, entries }) => [name, entries]),
    [
      ['a', 1000],
      ['c', 0],
    ],
  )
  const corrected = run(['import', folder], '{"collection":"b","kind":"map","key":"k","value":1}')
  assert.equal(corrected.status, 0, corrected.err)
})

test('import refuses what is a part of an export: one that was cut short, that failed, of which lines are missing', async t => {
  const folder = await make(temporaryFolder(t))
  const whole = run(['export', folder]).out
  const lines = whole.trimEnd().split('\n')
  const target = join(temporaryFolder(t), 'new')
  const cases: [string, RegExp][] = [
    // A verb that failed wrote nothing.
    [run(['export', `${folder}-none`]).out, /the input is empty/],
    ['\n \n', /the input is empty/],
    ...lines
      .slice(0, -1)
      .map((_, at): [string, RegExp] => [`${lines.slice(0, at + 1).join('\n')}\n`, /the export that begins at line 1 has no end/]),
    [`${whole}${lines[0]}\n`, new RegExp(`the export that begins at line ${lines.length + 1} has no end`)],
    [`${lines[0]}\n${whole}`, /line 2 is none of an export: the export that begins at line 1 has no end/],
    [lines.slice(1).join('\n'), /line \d+ is none of an export: it ends one that has no beginning/],
    [lines.filter((_, at) => at !== 2).join('\n'), /line \d+ is none of an export: it ends one of 5 entries, and 4 came/],
    ['{"tidemark":2}\n', /line 1 is none of an export: .*later version/],
  ]
  for (const [input, says] of cases) {
    const { status, out, err } = run(['import', target], input)
    assert.equal(status, 1, `${input}${out}`)
    assert.match(err, says)
    assert.match(err, /^hint: .*the 0 entries of the batches before it are stored/m)
  }
  assert.equal(run(['import', target], `${whole}${whole}${LINE}`).status, 0, 'exports in a row, and lines that are of none')
})

test('a line that is JSON and no object, or a begin or an end that does not say what it has to, is refused as that', async () => {
  const codec = await defaultCodec()
  const refusal = async (text: string): Promise<string> => {
    try {
      for await (const _ of new LineReader(codec, () => 'nothing is stored').read(Readable.from([Buffer.from(text)])));
      return 'taken'
    } catch (error) {
      return (error as Error).message
    }
  }
  for (const line of ['null', '7', '"text"', 'true', '[]', '[{"collection":"a","kind":"map"}]'])
    assert.equal(await refusal(`${line}\n`), 'line 1 is none of an export: it is no object')
  for (const end of ['null', '7', '"text"', '[]', '{}', '{"entries":null}', '{"entries":"0"}', '{"entries":0.5}', '{"entries":-1}'])
    assert.equal(
      await refusal(`{"tidemark":1}\n{"end":${end}}\n`),
      'line 2 is none of an export: it does not say how many entries there were',
      end,
    )
  assert.equal(await refusal('{"tidemark":1}\n{"end":{"entries":0}}\n'), 'taken')
  for (const version of ['null', '0', '1.5', '"1"', '{}'])
    assert.equal(await refusal(`{"tidemark":${version}}\n`), 'line 1 is none of an export: it does not say of which version it is', version)
  assert.match(await refusal('{"tidemark":2}\n'), /it begins one of a later version$/)
  assert.match(await refusal('{"end":null}\n'), /it ends one that has no beginning/)
})

test('an import of nothing, or of an export that ends before its first entry, makes no store', async t => {
  const target = join(temporaryFolder(t), 'new')
  for (const input of ['', '{"tidemark":1}\n', 'x']) {
    assert.equal(run(['import', target], input).status, 1)
    assert.ok(!existsSync(target))
  }
  assert.equal(run(['import', target], '{"tidemark":1}\n{"end":{"entries":0}}\n').status, 0, 'of a store with nothing in it')
  assert.equal((json('status', target) as { entries: number }).entries, 0)
})

test('import refuses memory: what it says is durable would be gone', () => {
  fails(2, /:memory: keeps nothing/, 'import', ':memory:')
})

/** Gives the command its input and leaves that open, until it says something that matches on the standard error. */
async function heard(t: TestContext, command: string, args: readonly string[], input: string, says: RegExp): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  child.stdin.on('error', () => {})
  child.stdin.write(input)
  let err = ''
  for await (const text of child.stderr.setEncoding('utf8')) {
    err += text
    if (says.test(err)) break
  }
  return err
}

test('import says at once what keeps it from becoming durable', {
  timeout: 60_000,
  skip: !mounts && 'nothing can be mounted here',
}, async t => {
  const folder = temporaryFolder(t)
  const lines = Array.from({ length: 6000 }, (_, key) =>
    JSON.stringify({ collection: 'a', kind: 'map', key, value: randomBytes(1000).toString('base64') }),
  )
  const script = 'mount -t tmpfs -o size=2m none "$0" && exec "$@"'
  const command = ['-m', 'sh', '-c', script, folder, process.execPath, cli, 'import', folder]
  const err = await heard(t, 'unshare', command, lines.join('\n'), /^hint: .*\n/m)
  assert.match(err, /^tidemark: .*no space.*\(TIDEMARK_STORAGE\)\nhint: .*\n/i)
})

test('an import that fails closes its store in moments, and its error is the first one', async () => {
  const closed: unknown[] = []
  const said: string[] = []
  const store = {
    on: () => {},
    stats: () => ({ collections: {} }),
    transaction: () => {
      throw new Error('the first')
    },
    close: async (options: unknown) => {
      closed.push(options)
      throw new TidemarkError('TIDEMARK_STORAGE', 'the second', { hint: 'wait' })
    },
  }
  for (const isJson of [false, true]) {
    const intake = new Intake(
      async () => store as unknown as Store,
      text => said.push(text),
      isJson,
    )
    const line: Line = { number: 1, bytes: 2 ** 20, collection: 'a', kind: 'map', codec: 'tide1', entry: undefined }
    await assert.rejects(intake.all([line]), /the first/)
  }
  assert.deepEqual(closed, [{ timeoutMs: 30_000 }, { timeoutMs: 30_000 }])
  const [text, line] = said as [string, string]
  assert.equal(text, 'tidemark: what was stored is not all durable: the second (TIDEMARK_STORAGE)\nhint: wait\n')
  const degraded = { code: 'TIDEMARK_STORAGE', message: 'what was stored is not all durable: the second', hint: 'wait' }
  assert.deepEqual(JSON.parse(line), { degraded })
})

test('a line whose entry is stored and cannot be read is named, with what to do', async () => {
  const store = {
    on: () => {},
    stats: () => ({ collections: {} }),
    transaction: (work: () => void) => work(),
    map: (name: string) => ({
      set: (key: string) => {
        if (key === 'bad') throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', 'cannot be decoded', { collection: name, key, hint: 'see it' })
      },
    }),
    close: async () => {},
  }
  const intake = new Intake(
    async () => store as unknown as Store,
    () => {},
  )
  const lines = ['good', 'bad', 'good'].map((key, at): Line => {
    return { number: at + 1, bytes: 10, collection: 'a', kind: 'map', codec: 'tide1', entry: { key, value: 1 } }
  })
  await assert.rejects(intake.all(lines), {
    code: 'TIDEMARK_VALUE_DAMAGED',
    message: 'line 2 is refused: cannot be decoded',
    hint: /^see it; .*into a new store.*; the 0 entries of the batches before it are stored$/,
    collection: 'a',
    key: 'bad',
  })
})

test('a line that does not end is refused once no text can be so long, and not held beyond that', async () => {
  const limit = 1_000_000
  const piece = Buffer.alloc(limit / 4, 'x')
  let given = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(LINE)
    for (; given < 100; given++) yield piece
  }
  const reader = new LineReader(await defaultCodec(), () => 'what came before it is stored', limit)
  const read = async (): Promise<void> => {
    for await (const _ of reader.read(endless()));
  }
  await assert.rejects(read(), { message: 'line 2 is longer than a text can be', hint: /what came before it is stored/, status: 1 })
  assert.equal(given, 4)
})
