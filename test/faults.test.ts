/** Failure is polite: a full disk, a failing sync and a read-only file system degrade durability and nothing else. On the real machine. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { open } from 'tidemark'
import { FAILPOINTS } from '../src/base/failpoint.ts'
import { failing, mounted, NO_MOUNTS, NO_STRACE } from './faults/machine.ts'
import { Remote, type Said } from './faults/remote.ts'
import { sweep } from './support/share.ts'
import { temporaryFolder } from './temporary.ts'

const FAIL_POINTS = FAILPOINTS.filter(name => name.startsWith('fail.'))
const ASKED = { checkpoint: { intervalMs: 0 } } as const

/** What the next process finds, texts by their beginning as the service tells them. */
async function entriesOf(directory: string): Promise<Map<string, unknown>> {
  const store = await open(directory, ASKED)
  const found = [...store.map<unknown, string>('map')].map(
    ([key, value]) => [key, typeof value === 'string' ? value.slice(0, 20) : value] as const,
  )
  await store.close()
  return new Map(found)
}

/** Takes all the space there is. */
function fillUp(path: string): void {
  for (const bytes of [1 << 16, 1 << 12, 1]) {
    for (;;) {
      try {
        writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' })
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
        break
      }
    }
  }
}

/** Waits for it however long a commit takes on a busy machine; what is asked from then on has it for its cause. */
async function firstFailure(service: Remote): Promise<Said> {
  await service.attempt({ op: 'checkpoint', timeoutMs: 1 })
  return await service.event('degraded')
}

async function fullDisk(t: TestContext, intervalMs: number): Promise<void> {
  if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
  const { folder, enter, inside } = await mounted(t, path => `mount -t tmpfs -o size=4m tidemark ${path}`)
  const directory = join(folder, 'state')
  const service = new Remote(t, enter)
  await service.call({ op: 'open', directory, settings: { checkpoint: { intervalMs } } })
  await service.call({ op: 'set', key: 'first', value: 1 })
  await service.checkpoint()

  fillUp(inside(join(folder, 'ballast')))
  await service.call({ op: 'fill', from: 0, count: 20, characters: 20_000 })
  await service.call({ op: 'set', key: 'second', value: 2 })
  const degraded = await firstFailure(service)
  const failure = await service.fails({ op: 'checkpoint', timeoutMs: 300 })
  assert.equal(failure.code, 'TIDEMARK_TIMEOUT')
  assert.equal(failure.cause?.code, 'TIDEMARK_STORAGE', JSON.stringify(failure))
  assert.ok(failure.hint !== undefined)
  assert.match(`${failure.message} ${failure.cause?.message}`, /ENOSPC|space/)
  assert.equal(degraded.code, 'TIDEMARK_STORAGE')
  assert.ok(degraded.hint !== undefined, 'the operator is told what to do')
  const stats = await service.stats()
  assert.equal(stats.status, 'degraded')
  assert.ok(stats.failures >= 1)
  assert.ok(stats.degradedBy !== undefined)

  // The service works on, and what it does now is not lost either.
  await service.call({ op: 'set', key: 'third', value: 3 })
  await service.call({ op: 'set', key: 'first', value: 'changed' })
  assert.equal((await service.entries()).size, 23)
  assert.equal((await service.fails({ op: 'durable', timeoutMs: 300 })).code, 'TIDEMARK_TIMEOUT')

  rmSync(inside(join(folder, 'ballast')))
  await service.event('recovered')
  assert.equal((await service.stats()).status, 'ok')
  await service.call({ op: 'durable' })
  const { failures } = await service.stats()
  await service.checkpoint()
  assert.equal((await service.stats()).failures, failures, 'nothing fails any more')
  await service.kill()

  const next = new Remote(t, enter)
  await next.call({ op: 'open', directory, settings: ASKED })
  const entries = await next.entries()
  assert.equal(entries.size, 23)
  assert.deepEqual([entries.get('first'), entries.get('second'), entries.get('third')], ['changed', 2, 3])
  await next.call({ op: 'close' })
  await next.leave()
}

test('a full disk degrades, keeps everything, and recovers by itself when space returns', t => fullDisk(t, 0))
test('a full disk under automatic checkpoints', t => fullDisk(t, 30))

test('a disk that is full from the start refuses to open, and opens when there is space', async t => {
  if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
  const { folder, enter, inside } = await mounted(t, path => `mount -t tmpfs -o size=1m tidemark ${path}`)
  fillUp(inside(join(folder, 'ballast')))
  const service = new Remote(t, enter)
  const directory = join(folder, 'state')
  const failure = await service.fails({ op: 'open', directory, settings: ASKED })
  assert.match(failure.code, /^TIDEMARK_(STORAGE|DIRECTORY)$/)
  assert.ok(failure.hint !== undefined)
  rmSync(inside(join(folder, 'ballast')))
  await service.call({ op: 'open', directory, settings: ASKED })
  await service.call({ op: 'set', key: 'first', value: 1 })
  await service.checkpoint()
  await service.call({ op: 'close' })
  await service.leave()
})

test('a close on a full disk ends in time, says why, and gives back the lock', async t => {
  if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
  const { folder, enter, inside } = await mounted(t, path => `mount -t tmpfs -o size=2m tidemark ${path}`)
  const directory = join(folder, 'state')
  const service = new Remote(t, enter)
  await service.call({ op: 'open', directory, settings: ASKED })
  await service.call({ op: 'set', key: 'first', value: 1 })
  await service.checkpoint()
  fillUp(inside(join(folder, 'ballast')))
  await service.call({ op: 'fill', from: 0, count: 10, characters: 20_000 })
  await firstFailure(service)
  const failure = await service.fails({ op: 'close', timeoutMs: 300 })
  assert.equal(failure.code, 'TIDEMARK_TIMEOUT')
  assert.equal(failure.cause?.code, 'TIDEMARK_STORAGE')
  rmSync(inside(join(folder, 'ballast')))
  await service.call({ op: 'open', directory, settings: ASKED })
  assert.deepEqual([...(await service.entries()).keys()], ['first'], 'the last durable state')
  await service.call({ op: 'close' })
  await service.leave()
})

test('a read-only file system: no writing, but reading', async t => {
  if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
  const before = temporaryFolder(t)
  const writer = new Remote(t)
  await writer.call({ op: 'open', directory: before, settings: ASKED })
  await writer.call({ op: 'set', key: 'first', value: 1 })
  await writer.call({ op: 'close' })
  const { folder, enter } = await mounted(t, path => `mount --bind ${before} ${path} && mount -o remount,ro,bind ${path}`)
  const service = new Remote(t, enter)
  const failure = await service.fails({ op: 'open', directory: folder, settings: ASKED })
  assert.match(failure.code, /^TIDEMARK_(STORAGE|DIRECTORY)$/)
  assert.ok(failure.hint !== undefined && JSON.stringify(failure).includes('EROFS'), JSON.stringify(failure))
  await service.call({ op: 'open', directory: folder, settings: { readOnly: true } })
  assert.deepEqual([...(await service.entries())], [['first', 1]])
  await service.call({ op: 'close' })
  await service.leave()
})

const logFiles = (directory: string): string[] => readdirSync(join(directory, 'log')).sort()

/** Five epochs with one failing system call somewhere on the way; gives the log files there were, with their sizes. */
async function withOneFailure(t: TestContext, call: string, error: string, when: number | string, path?: string) {
  const directory = temporaryFolder(t)
  const { wrapper, env, assertInjected } = failing(t, call, error, when, path && join(directory, path))
  const service = new Remote(t, wrapper, env)
  await service.call({ op: 'open', directory, settings: ASKED })
  const seen: { files: string[]; sizes: number[] }[] = []
  for (let n = 1; n <= 5; n++) {
    await service.call({ op: 'set', key: `key ${n}`, value: n })
    await service.call({ op: 'set', key: 'latest', value: n })
    await service.checkpoint()
    // One that no manifest names may go in between.
    const sizes = new Map(logFiles(directory).map(file => [file, statSync(join(directory, 'log', file), { throwIfNoEntry: false })?.size]))
    const there = [...sizes].flatMap(([file, size]) => (size === undefined ? [] : [{ file, size }]))
    seen.push({ files: there.map(({ file }) => file), sizes: there.map(({ size }) => size) })
  }
  const stats = await service.stats()
  assert.equal(stats.status, 'ok')
  const degraded = service.events.filter(({ event }) => event === 'degraded')
  assertInjected()
  // Half a second without a message, and the call that failed was that of a seal: it costs the file, and no checkpoint fails.
  const wasSeal = call === 'pwritev' && when === 3 && stats.failures === 0
  if (!wasSeal) {
    assert.equal(stats.failures, 1)
    assert.deepEqual([degraded.length, degraded[0]?.code], [1, 'TIDEMARK_STORAGE'])
    assert.ok(JSON.stringify(degraded[0]).includes(error === 'EDQUOT' ? '"errno":-122' : error), JSON.stringify(degraded[0]))
    assert.ok(service.events.some(({ event }) => event === 'recovered'))
  }
  await service.kill()
  const expected = new Map<string, unknown>([1, 2, 3, 4, 5].map(n => [`key ${n}`, n]))
  assert.deepEqual(await entriesOf(directory), expected.set('latest', 5))
  return seen
}

const FIRST_LOG = 'log/00000001-00000001.log'

for (const when of sweep([5, 2, 3])) {
  test(`a failed fdatasync (number ${when}) is final for its file: what it held goes to a new one`, async t => {
    if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
    const seen = await withOneFailure(t, 'fdatasync', 'EIO', when)
    // The first one may be gone before the first look, if the failure came before any manifest named it.
    const files = new Set([FIRST_LOG.slice('log/'.length), ...seen.flatMap(({ files }) => files)])
    assert.ok(files.size >= 2, `no new file: ${JSON.stringify(seen)}`)
    if (when === 5)
      assert.ok(
        seen.some(({ files }) => files.length > 1),
        `never two files: ${JSON.stringify(seen)}`,
      )
    // From the moment there is a newer one, a file does not grow any more; one that no manifest names any longer may go.
    for (const [at, { files: before, sizes }] of seen.entries()) {
      for (const [place, file] of before.slice(0, -1).entries()) {
        for (const later of seen.slice(at)) {
          const size = later.sizes[later.files.indexOf(file)]
          assert.ok(size === undefined || size === sizes[place], `${file} still grows: ${JSON.stringify(seen)}`)
        }
      }
    }
  })
}

for (const [call, error, when, path] of sweep([
  ['pwrite64', 'ENOSPC', 1, FIRST_LOG],
  // The manifest that names the first log file.
  ['pwrite64', 'EDQUOT', 2],
  ['pwritev', 'ENOSPC', 1],
  ['pwritev', 'EIO', 3],
  ['fsync', 'EIO', 1, 'log'],
  ['openat', 'EMFILE', 1, FIRST_LOG],
] as const)) {
  test(`${error} from ${call} (number ${when} on ${path ?? 'any file'}) is survived`, async t => {
    if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
    await withOneFailure(t, call, error, when, path)
  })
}

async function killedAt(t: TestContext, place: string): Promise<void> {
  if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
  const directory = temporaryFolder(t)
  const { wrapper, env, assertInjected } = failing(t, 'fdatasync', 'EIO', 4)
  const service = new Remote(t, wrapper, { ...env, TIDEMARK_FAILPOINT: `${place}:1:kill` })
  await service.call({ op: 'open', directory, settings: ASKED })
  let acknowledged = 0
  for (let n = 1; n <= 5; n++) {
    await service.call({ op: 'set', key: 'latest', value: n })
    const { failed } = await service.attempt({ op: 'checkpoint' })
    if (failed !== undefined) {
      assert.equal(failed.code, 'ENDED')
      break
    }
    acknowledged = n
  }
  assertInjected()
  assert.ok(acknowledged > 0 && acknowledged < 5, `the point was not reached: ${acknowledged}`)
  const store = await open(directory, ASKED)
  const map = store.map<number>('map')
  const latest = map.get('latest') as number
  // Before it is truncated a manifest says that the file ends before the epoch that failed.
  const most = place === 'fail.truncate' ? acknowledged : acknowledged + 1
  assert.ok(latest === acknowledged || latest === most, `${latest} after ${acknowledged} was acknowledged`)
  map.set('latest', -1)
  await store.checkpoint()
  await store.close()
}

for (const place of sweep(FAIL_POINTS)) test(`killed at ${place}, while it gives up a file after a failed sync`, t => killedAt(t, place))

test('a disk whose syncs fail for good: the service runs on, waiting ends in time, and so does closing', async t => {
  if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
  const directory = temporaryFolder(t)
  const { wrapper, env, assertInjected } = failing(t, 'fdatasync', 'EIO', '4+')
  const service = new Remote(t, wrapper, env)
  await service.call({ op: 'open', directory, settings: { checkpoint: { intervalMs: 20 } } })
  let durable = 0
  let named = false
  for (let n = 1; n < 50; n++) {
    await service.call({ op: 'set', key: 'latest', value: n })
    const { failed } = await service.attempt({ op: 'checkpoint', timeoutMs: 500 })
    if (failed !== undefined) {
      assert.equal(failed.code, 'TIDEMARK_TIMEOUT')
      // On a busy machine a commit may take longer than that, and nothing has failed yet.
      if (failed.cause === undefined) continue
      assert.equal(failed.cause.code, 'TIDEMARK_STORAGE')
      named = true
      break
    }
    durable = n
  }
  assertInjected()
  assert.ok(named, 'no wait said why')
  const first = (await service.stats()).failures
  await service.event('degraded', first + 2)
  assert.equal((await service.stats()).status, 'degraded')
  await service.call({ op: 'set', key: 'later', value: 1 })
  assert.equal((await service.entries()).get('later'), 1)
  assert.equal((await service.fails({ op: 'close', timeoutMs: 300 })).code, 'TIDEMARK_TIMEOUT')
  await service.leave()
  const latest = (await entriesOf(directory)).get('latest') as number | undefined
  assert.ok((latest ?? 0) >= durable)
})

/** A write of which the system says that it did more than it did: the file has zeros there. */
async function lying(t: TestContext, when: number, epochs: number, count: number, characters: number): Promise<void> {
  if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
  const directory = temporaryFolder(t)
  const { wrapper, env, assertInjected } = failing(t, 'pwrite64,pwritev', 'EIO', when)
  const service = new Remote(
    t,
    // Less than any write of ours: of more than was asked for no system speaks, and the runtime reads behind its memory then.
    wrapper.map(word => word.replace(':error=EIO', ':retval=40')),
    env,
  )
  await service.call({ op: 'open', directory, settings: { ...ASKED, compression: 'none' } })
  for (let n = 0; n < epochs; n++) {
    await service.call({ op: 'fill', from: n * count, count, characters })
    await service.checkpoint()
  }
  const expected = await service.entries()
  const { failures } = await service.stats()
  assertInjected()
  await service.kill()
  assert.deepEqual(await entriesOf(directory), expected, `${failures} failures were noticed`)
}

for (const when of sweep([1, 3, 4])) {
  test(`a write that lies is found by reading back, and written again: number ${when} of small epochs`, t => lying(t, when, 6, 1, 9000))
}

for (const when of sweep([2, 3, 5])) {
  test(`a write that lies is found by reading back, and written again: number ${when} of one large epoch`, t =>
    lying(t, when, 1, 12, 40_000))
}
