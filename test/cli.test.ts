/** The command line: its verbs over stores that other code made. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultCodec, open, verify } from 'tidemark'
import { say } from '../src/tools/values.ts'
import { root } from './root.ts'
import { failEach, fails, json, json1, MANUAL, make, run, runEach } from './support/cli.ts'
import { flipped } from './support/files.ts'
import { temporaryFolder } from './temporary.ts'

/** Fewer than a terminal would take, so that stores with many keys are shown in part. */
const KEYS_SHOWN = 100

/** Every file with its bytes, but for the lock's text. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile() && entry.name !== 'lock')
  return new Map(files.map(entry => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), 'base64')]))
}

test('a command that is wrong ends with 2, help with 0', () => {
  fails(2, /unknown verb 'nothing'/, 'nothing')
  fails(2, /a verb is missing/)
  const directories = ['status', 'verify', 'profile', 'import', 'export'].flatMap(
    verb =>
      [
        [2, /'' is no directory/, verb, ''],
        [2, /:memory: keeps nothing/, verb, ':memory:'],
      ] as const,
  )
  failEach([
    [2, /too few/, 'status'],
    [2, /too many/, 'status', 'a', 'b'],
    [2, /--nothing/, 'log', 'a', '--nothing'],
    [2, /'x' is no epoch/, 'restore', 'a', '--to', 'x'],
    [2, /needs --to/, 'restore', 'a'],
    ...directories,
    [2, /'' is no directory/, 'copy', 'a', ''],
    [2, /:memory: keeps nothing/, 'copy', 'a', ':memory:'],
  ])
  const help = run(['--help'])
  assert.equal(help.status, 0)
  const verbs = ['status', 'log', 'show', 'diff', 'explain', 'verify', 'profile', 'restore', 'copy', 'export', 'import']
  for (const [at, { status, out }] of runEach(verbs.map(verb => [verb, '--help'])).entries()) {
    const verb = verbs[at] as string
    assert.match(help.out, new RegExp(`^  ${verb} `, 'm'))
    assert.match(out, new RegExp(`^tidemark ${verb} `))
    assert.equal(status, 0)
  }
})

test('--version gives that of the package, and --help names it', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const [of, help] = runEach([['--version'], ['--help']])
  assert.deepEqual(of, { status: 0, out: `${version}\n`, err: '' })
  assert.match(help?.out ?? '', /^ {2}--version\n {6}/m)
})

test('an error is one of JSON where --json is an option, wherever that stands, and not where it is an argument', () => {
  const errorIn = (args: readonly string[]): string => {
    const { status, err } = run(args)
    assert.equal(status, 2, err)
    return (JSON.parse(err) as { error: { message: string } }).error.message
  }
  assert.equal(errorIn(['--json', 'status', 'a']), "unknown verb '--json'")
  assert.equal(errorIn(['status', '--json']), 'too few arguments')
  fails(2, /^tidemark: too many arguments$/m, 'status', 'a', '--', '--json')
})

/** What reads one directory. */
const READING = [['status'], ['log'], ['show', 'a'], ['diff', '1', '2'], ['explain'], ['verify'], ['profile'], ['export']]

test('a directory without a store is named, not made', t => {
  const folder = join(temporaryFolder(t), 'none')
  const all = [...READING, ['restore', '--to', '1'], ['copy', `${folder}-2`]]
  failEach(all.map(([verb, ...args]) => [1, /TIDEMARK_NO_STORE/, verb as string, folder, ...args] as const))
  const { status, err } = run(['status', folder, '--json'])
  assert.equal(status, 1)
  assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'TIDEMARK_NO_STORE')
  assert.ok(!existsSync(folder) && !existsSync(`${folder}-2`))
})

test('a path that is a file, or leads through one, is refused as such', t => {
  const file = join(temporaryFolder(t), 'file')
  writeFileSync(file, 'mine')
  const good = join(root, 'test/golden/v2/store')
  for (const path of [file, join(file, 'inside')]) {
    const refused = /is no directory|cannot be used as a directory.*TIDEMARK_DIRECTORY/
    fails(1, refused, 'import', path)
    failEach([
      ...READING.map(([verb, ...args]) => [1, refused, verb as string, path, ...args] as const),
      [1, /is no directory.*TIDEMARK_DIRECTORY/, 'restore', path, '--to', '1'],
      [1, /is no directory.*TIDEMARK_DIRECTORY/, 'copy', path, join(path, 'copy')],
      [1, /is no directory.*TIDEMARK_DIRECTORY/, 'copy', good, path],
    ])
  }
  assert.equal(readFileSync(file, 'utf8'), 'mine')
})

test('status, log, show and diff tell what is there, and write nothing', async t => {
  const folder = await make(temporaryFolder(t))
  const before = contents(folder)
  const status = json('status', folder) as Record<string, unknown>
  assert.equal(status['epoch'], 3)
  assert.deepEqual(status['collections'], [
    { name: 'empty', kind: 'map', codec: 'tide1', entries: 0 },
    { name: 'late', kind: 'map', codec: 'tide1', entries: 1 },
    { name: 'own', kind: 'map', codec: 'json', entries: 1 },
    { name: 'people', kind: 'map', codec: 'tide1', entries: 3 },
  ])
  assert.match(run(['status', folder]).out, /^map +"people" {2}3 entries/m)
  const points = json('log', folder) as { epoch: number; lineage: string; entries: number; bytes: number }[]
  assert.match(status['lineage'] as string, /^[0-9a-f]{32}$/)
  assert.ok(points.every(({ lineage }) => lineage === status['lineage']))
  assert.deepEqual(
    points.map(({ epoch, entries }) => [epoch, entries]),
    [
      [3, 5],
      [2, 5],
      [1, 5],
    ],
  )
  assert.ok(points.every(({ bytes }) => bytes > 0))
  assert.deepEqual(json('show', folder, 'people', 'ada'), {
    collection: 'people',
    kind: 'map',
    codec: 'tide1',
    key: 'ada',
    value: { score: 2 },
  })
  assert.deepEqual((json('show', folder, 'people', 'ada', '--at', '1') as { value: unknown }).value, { score: 1 })
  assert.equal(run(['show', folder, 'people', '7', '--at', '1']).out, "'number'\n")
  assert.equal(run(['show', folder, 'people', '7']).out, "'bigint'\n")
  assert.equal(run(['show', folder, 'people', '7n']).out, "'bigint'\n")
  assert.equal(run(['show', folder, 'people']).out, '7n\n"ada"\n"bob"\n')
  assert.equal(run(['show', folder, 'total', '--at', '2']).out, '1\n')
  fails(1, /no collection 'total'/, 'show', folder, 'total')
  fails(1, /no key 'carl'|no key carl/, 'show', folder, 'people', 'carl')
  fails(1, /TIDEMARK_NO_SUCH_POINT/, 'show', folder, 'people', '--at', '9')
  assert.equal(run(['diff', folder, '1', '2']).out, '  "people"\n  - 7\n  * "ada"\n  + "bob"\n')
  assert.equal(run(['diff', folder, '2', '2']).out, '')
  const codec = await defaultCodec()
  assert.deepEqual(json('diff', folder, '2', '3'), [
    { collection: 'late', change: 'added', keys: [{ change: 'added', key: 'x' }] },
    { collection: 'total', change: 'removed', keys: [{ change: 'removed', key: 'value' }] },
  ])
  assert.deepEqual((json('diff', folder, '2', '1') as { keys: unknown }[])[0]?.keys, [
    { change: 'changed', key: 'ada' },
    { change: 'removed', key: 'bob' },
    { change: 'added', key: say(codec, 7) },
  ])
  assert.deepEqual(contents(folder), before)
})

test('diff tells what is stored otherwise: the order of entries too, and nothing that is stored as it was', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  const map = store.map<unknown>('map')
  const error = new RangeError('no', { cause: 1 })
  const put = (at: number): void => {
    const order = at === 1 ? ['a', 'b'] : ['b', 'a']
    map.set('invalid', new Date(Number.NaN))
    map.set('same', { a: [Number.NaN, -0, new Map([[1n, new Set(['x'])]])], error })
    map.set('date', new Date(at))
    map.set('map', new Map(order.map(key => [key, 1])))
    map.set('set', new Set(order))
    map.set('object', Object.fromEntries(order.map(key => [key, 1])))
    map.set('zero', at === 1 ? 0 : -0)
  }
  put(1)
  store
    .map('own', { codec: json1 })
    .set('kept', { list: [1] })
    .set('other', 1)
  await store.checkpoint()
  put(2)
  store
    .map('own', { codec: json1 })
    .set('kept', { list: [1] })
    .set('other', 2)
  await store.checkpoint()
  await store.close()
  assert.equal(
    run(['diff', folder, '1', '2']).out,
    '  "map"\n  * "date"\n  * "map"\n  * "object"\n  * "set"\n  * "zero"\n  "own"\n  * "other"\n',
  )
})

test('keys are shown up to a number, or all', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  const map = store.map<number, number>('many')
  for (let key = 0; key < KEYS_SHOWN + 5; key++) map.set(key, key)
  await store.close()
  const lines = run(['show', folder, 'many']).out.trimEnd().split('\n')
  assert.deepEqual([lines.length, lines.at(-1)], [KEYS_SHOWN + 1, 'and 5 more: --all'])
  assert.equal(run(['show', folder, 'many', '--all']).out.trimEnd().split('\n').length, KEYS_SHOWN + 5)
  assert.equal((json('show', folder, 'many') as { keys: unknown[] }).keys.length, KEYS_SHOWN)
})

test('a key that is typed in digits is the number only where that is exactly it', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  const map = store.map<string, number | bigint>('map')
  map
    .set(2 ** 53, 'near')
    .set(2n ** 53n + 3n, 'exact')
    .set(7, 'number')
    .set(Number.POSITIVE_INFINITY, 'infinite')
  await store.close()
  fails(1, /no key 9007199254740993/, 'show', folder, 'map', '9007199254740993')
  fails(1, /no key 9{400}/, 'show', folder, 'map', '9'.repeat(400))
  const shown = ['9007199254740992', '9007199254740995', '7', 'Infinity'].map(key => run(['show', folder, 'map', key]).out)
  assert.deepEqual(shown, ["'near'\n", "'exact'\n", "'number'\n", "'infinite'\n"])
})

test('beside a living writer all that reads goes on; what writes is refused', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  store.map('a').set('k', 'v')
  await store.checkpoint()
  assert.equal((json('status', folder) as { epoch: number }).epoch, 1)
  assert.equal((json('verify', folder) as { ok: boolean }).ok, true)
  assert.equal((json('copy', folder, join(folder, '..', `${folder}-copy`)) as { entries: number }).entries, 1)
  t.after(() => rmSync(`${folder}-copy`, { recursive: true, force: true }))
  fails(1, /TIDEMARK_LOCKED/, 'restore', folder, '--to', '1')
  fails(1, /TIDEMARK_LOCKED/, 'import', folder)
  store.map('a').set('k', 'w')
  assert.equal((await store.checkpoint()).epoch, 2)
  await store.close()
})

test('verify finds a damaged or missing manifest or segment, and names it', async t => {
  const good = join(root, 'test/golden/v2/store')
  const whole = json('verify', good) as { ok: boolean; files: { file: string; kind: string; bytes: number }[] }
  assert.ok(whole.ok)
  for (const kind of ['manifest', 'segment']) {
    const found = whole.files.find(file => file.kind === kind)
    assert.ok(found, kind)
    const { file, bytes } = found
    const folder = temporaryFolder(t)
    cpSync(good, folder, { recursive: true })
    const data = readFileSync(join(folder, file))
    assert.equal(data.length, bytes)
    data[bytes >> 1] = (data[bytes >> 1] as number) ^ 0x10
    writeFileSync(join(folder, file), data)
    const { status, out } = run(['verify', folder])
    assert.equal(status, 1, out)
    assert.ok(out.includes(`damaged: ${file}: `), out)
    const said = JSON.parse(run(['verify', folder, '--json']).out) as { ok: boolean; files: { file: string; problem?: string }[] }
    assert.equal(said.ok, false)
    assert.deepEqual(
      said.files.filter(({ problem }) => problem !== undefined).map(entry => entry.file),
      [file],
    )
    if (kind === 'manifest') continue
    rmSync(join(folder, file))
    const missing = run(['verify', folder])
    assert.equal(missing.status, 1)
    assert.ok(missing.out.includes(`damaged: ${file}: it is missing`), missing.out)
  }
})

test('verify passes no byte of the segments by', async t => {
  const folder = temporaryFolder(t)
  cpSync(join(root, 'test/golden/v2/store'), folder, { recursive: true })
  const { files } = await verify(folder)
  const segments = files.filter(({ kind }) => kind === 'segment')
  assert.ok(segments.length > 0)
  for (const { file } of segments) {
    const good = readFileSync(join(folder, file))
    for (let at = 0; at < good.length; at += Math.max(1, good.length >> 5)) {
      const data = Buffer.from(good)
      data[at] = (data[at] as number) ^ 1
      writeFileSync(join(folder, file), data)
      const found = await verify(folder)
      assert.deepEqual(
        found.files.filter(({ problem }) => problem !== undefined).map(entry => entry.file),
        [file],
        `byte ${at}`,
      )
    }
    writeFileSync(join(folder, file), good)
  }
  assert.ok((await verify(folder)).ok)
})

test('verify finds damage in the log; what nothing is lost by is a note', async t => {
  const folder = await make(temporaryFolder(t))
  const file = 'log/00000001-00000001.log'
  const path = join(folder, file)
  const good = readFileSync(path)
  const outcomes = new Set<string>()
  for (let at = 0; at < good.length; at += 29) {
    const data = Buffer.from(good)
    data[at] = (data[at] as number) ^ 0xff
    writeFileSync(path, data)
    const { ok, epoch, files, notes } = await verify(folder)
    assert.equal(
      ok,
      files.every(({ problem }) => problem === undefined),
    )
    assert.ok(ok || files.some(entry => entry.file === file && entry.problem !== undefined))
    // What goes unmentioned may only be room that no epoch takes; nothing that counted is lost in silence.
    if (ok) assert.equal(epoch, 3, `byte ${at}`)
    outcomes.add(ok ? (notes.length > 0 ? 'note' : 'whole') : 'damaged')
  }
  assert.ok(outcomes.has('damaged') && outcomes.has('note'), [...outcomes].join())
  rmSync(path)
  const { status, out } = run(['verify', folder])
  assert.equal(status, 1)
  assert.ok(out.includes(`damaged: ${file}: `), out)
})

test('diff tells of a collection that has another kind or codec, also where it is empty', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  store.map('kind')
  store.map('codec')
  store.map('same')
  store.value('beside', 0).set(1)
  await store.checkpoint()
  for (const name of ['kind', 'codec', 'same']) store.delete(name)
  store.value('kind', undefined)
  store.map<unknown>('codec', { codec: json1 })
  store.map('same')
  store.value('beside', 0).set(2)
  await store.checkpoint()
  await store.close()
  assert.equal(
    run(['diff', folder, '1', '2']).out,
    '  "beside"\n  * "value"\n  "codec"  map tide1 -> map json\n  "kind"  map tide1 -> value tide1\n',
  )
  assert.deepEqual((json('diff', folder, '1', '2') as unknown[]).slice(1), [
    { collection: 'codec', change: 'changed', from: { kind: 'map', codec: 'tide1' }, to: { kind: 'map', codec: 'json' }, keys: [] },
    { collection: 'kind', change: 'changed', from: { kind: 'map', codec: 'tide1' }, to: { kind: 'value', codec: 'tide1' }, keys: [] },
  ])
})

test('restore goes on from an earlier epoch; one that is not there changes nothing', async t => {
  const folder = await make(temporaryFolder(t))
  const before = contents(folder)
  fails(1, /TIDEMARK_NO_SUCH_POINT/, 'restore', folder, '--to', '9')
  assert.deepEqual(contents(folder), before)
  assert.deepEqual(json('restore', folder, '--to', '1'), { epoch: 1 })
  const store = await open(folder, MANUAL)
  assert.deepEqual(store.map('people').get('ada'), { score: 1 })
  assert.equal(store.value('total', 0).get(), 1)
  store.value('total', 0).set(7)
  await store.checkpoint()
  await store.close()
  const [second, first] = json('log', folder) as { epoch: number; lineage: string }[]
  assert.deepEqual([second?.epoch, first?.epoch], [2, 1])
  assert.notEqual(second?.lineage, first?.lineage, 'the second epoch is not the one that was given up')
  const lines = run(['log', folder]).out.split('\n')
  assert.deepEqual([lines[0], lines[2]], [`lineage ${second?.lineage}`, `lineage ${first?.lineage}`])
})

test('a copy holds the newest recovery point, own codecs included; a target with something in it is refused', async t => {
  const folder = await make(temporaryFolder(t))
  const target = join(temporaryFolder(t), 'new', 'copy')
  assert.equal(run(['copy', folder, target]).status, 0)
  assert.equal(run(['export', target]).out, run(['export', folder]).out)
  const store = await open(target, MANUAL)
  assert.deepEqual(store.map('own', { codec: json1 }).get('a'), { list: [1] })
  await store.close()
  const before = contents(target)
  fails(1, /holds a store, at epoch 3/, 'copy', folder, target)
  assert.deepEqual(contents(target), before)
  const foreign = temporaryFolder(t)
  writeFileSync(join(foreign, 'letter.txt'), 'mine')
  fails(1, /TIDEMARK_DIRECTORY/, 'copy', folder, foreign)
  assert.deepEqual(readdirSync(foreign), ['letter.txt'])
  // What damage in the target keeps from being read says nothing of the store that is copied.
  const old = await make(temporaryFolder(t))
  const log = join(old, 'log/00000001-00000001.log')
  const bytes = readFileSync(log)
  writeFileSync(log, flipped(bytes, 8 * bytes.indexOf('ada')))
  fails(1, /TIDEMARK_LOG_DAMAGED/, 'status', old)
  fails(1, / is not empty \(TIDEMARK_DIRECTORY\)/, 'copy', folder, old)
})
