/** One writer: the lock, who holds it, and what becomes of a writer that another one has overtaken. On the real machine. */
import assert from 'node:assert/strict'
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { open, type Settings } from 'tidemark'
import { FAILPOINTS, UPKEEP_FAILPOINTS } from '../src/base/failpoint.ts'
import { FRAME_HEADER_BYTES, SEAL_BYTES } from '../src/format/index.ts'
import { PLACES } from './crash/failpoints.ts'
import { failing, mounted, NO_MOUNTS, NO_STRACE } from './faults/machine.ts'
import { Remote } from './faults/remote.ts'
import { sweep } from './support/share.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

const ASKED: Settings = { checkpoint: { intervalMs: 0 } }
const UNLOCKED: Settings = { checkpoint: { intervalMs: 0 }, lock: 'none' }

async function holder(t: TestContext): Promise<{ service: Remote; directory: string }> {
  const directory = temporaryFolder(t)
  const service = new Remote(t)
  await service.call({ op: 'open', directory, settings: ASKED })
  await service.call({ op: 'set', key: 'first', value: 1 })
  await service.checkpoint()
  return { service, directory }
}

test('a second opener is told who holds the store, and gets it when the holder is killed', async t => {
  const { service, directory } = await holder(t)
  const error = await failsWith('TIDEMARK_LOCKED', () => open(directory, ASKED), { says: [String(service.pid), directory] })
  assert.equal((error.info as { holder: { pid: number } }).holder.pid, service.pid)
  const reader = await open(directory, { readOnly: true })
  assert.equal(reader.map('map').get('first'), 1, 'reading needs no lock')
  await reader.close()
  await service.call({ op: 'set', key: 'second', value: 2 })
  await service.checkpoint()
  await service.kill()
  const store = await open(directory, ASKED)
  assert.equal(store.map('map').get('second'), 2)
  await store.close()
})

test('a stopped holder still holds', async t => {
  const { service, directory } = await holder(t)
  process.kill(service.pid, 'SIGSTOP')
  await failsWith('TIDEMARK_LOCKED', () => open(directory, ASKED), { says: [String(service.pid)] })
  process.kill(service.pid, 'SIGCONT')
  await service.checkpoint()
})

test('the lock is met through another mount of the same directory', async t => {
  if (NO_MOUNTS !== undefined) return t.skip(NO_MOUNTS)
  const { service, directory } = await holder(t)
  const { folder, enter } = await mounted(t, path => `mount --bind ${directory} ${path}`)
  const other = new Remote(t, enter)
  const failure = await other.fails({ op: 'open', directory: folder, settings: ASKED })
  assert.equal(failure.code, 'TIDEMARK_LOCKED')
  assert.ok(failure.message.includes(String(service.pid)), failure.message)
  assert.ok(failure.hint !== undefined)
  await service.kill()
  await other.call({ op: 'open', directory: folder, settings: ASKED })
  assert.deepEqual([...(await other.entries())], [['first', 1]])
})

test('a failed open gives back the lock', async t => {
  const { service, directory } = await holder(t)
  await service.kill()
  await failsWith('TIDEMARK_NO_SUCH_POINT', () => open(directory, { ...ASKED, restore: { at: 12345 } }))
  const store = await open(directory, ASKED)
  await store.close()
})

for (const when of ['before the new one wrote anything', 'after the new one committed'] as const) {
  test(`a writer that was overtaken is fenced ${when}`, async t => {
    const directory = temporaryFolder(t)
    const old = new Remote(t)
    await old.call({ op: 'open', directory, settings: UNLOCKED })
    await old.call({ op: 'set', key: 'owner', value: 'old' })
    await old.checkpoint()
    await old.call({ op: 'set', key: 'unfinished', value: 'old' })

    const young = new Remote(t)
    await young.call({ op: 'open', directory, settings: UNLOCKED })
    assert.deepEqual([...(await young.entries())], [['owner', 'old']])
    await young.call({ op: 'set', key: 'owner', value: 'young' })
    if (when === 'after the new one committed') await young.checkpoint()

    const failure = await old.fails({ op: 'checkpoint' })
    assert.equal(failure.code, 'TIDEMARK_FENCED')
    assert.ok(failure.hint !== undefined)
    await old.event('error')
    assert.equal((await old.stats()).status, 'failed')
    assert.match((await old.fails({ op: 'checkpoint' })).code, /^TIDEMARK_(FENCED|FAILED)$/)
    assert.match((await old.fails({ op: 'durable' })).code, /^TIDEMARK_(FENCED|FAILED)$/)
    // What it has in memory can still be read, and it can be closed.
    assert.equal((await old.entries()).get('unfinished'), 'old')
    assert.match((await old.fails({ op: 'close' })).code, /^TIDEMARK_(FENCED|FAILED)$/)
    await old.leave()

    await young.checkpoint()
    await young.call({ op: 'set', key: 'later', value: 1 })
    await young.checkpoint()
    await young.kill()
    const store = await open(directory, ASKED)
    assert.deepEqual(
      new Map(store.map('map')),
      new Map<string, unknown>([
        ['owner', 'young'],
        ['later', 1],
      ]),
    )
    await store.close()
  })
}

test('two stores of one process, one overtaking the other', async t => {
  const directory = temporaryFolder(t)
  const old = await open(directory, UNLOCKED)
  const errors: string[] = []
  old.on('error', error => errors.push(error.code))
  old.map<number>('map').set('a', 1)
  await old.checkpoint()
  const young = await open(directory, UNLOCKED)
  young.map<number>('map').set('b', 2)
  await young.checkpoint()
  old.map<number>('map').set('c', 3)
  await failsWith('TIDEMARK_FENCED', () => old.checkpoint())
  assert.deepEqual(errors, ['TIDEMARK_FENCED'])
  await assert.rejects(old.close())
  await young.close()
  const store = await open(directory, ASKED)
  assert.deepEqual(
    new Map(store.map('map')),
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  )
  await store.close()
})

for (const pauseMs of sweep([3, 11, 24, 47, 80])) {
  test(`a writer stopped in full work after ${pauseMs} ms is overtaken, and nothing it acknowledged is missing`, async t => {
    const directory = temporaryFolder(t)
    const old = new Remote(t)
    await old.call({ op: 'open', directory, settings: { checkpoint: { intervalMs: 15 }, lock: 'none' } })
    await old.call({ op: 'work', everyMs: 1 })
    await old.event('acknowledged', 3)
    await setTimeout(pauseMs)
    process.kill(old.pid, 'SIGSTOP')
    const young = await open(directory, UNLOCKED)
    const work = young.map<number>('work')
    const counter = work.get('counter') as number
    for (let n = Math.max(1, counter - 49); n <= counter; n++) assert.equal(work.get(`n ${n % 50}`), n, 'a transaction is whole')
    work.set('counter', -1)
    const { epoch } = await young.checkpoint()
    process.kill(old.pid, 'SIGCONT')
    assert.equal((await old.event('error')).code, 'TIDEMARK_FENCED')
    const acknowledged = Math.max(
      ...old.events.flatMap(({ event, counter: n }) => (event === 'acknowledged' && n !== undefined ? [n] : [])),
    )
    assert.ok(acknowledged <= counter, `operation ${acknowledged} was acknowledged, but the new writer found ${counter}`)
    await young.checkpoint()
    await young.close()
    const store = await open(directory, { ...ASKED, restore: { at: epoch }, readOnly: true })
    assert.equal(store.map<number>('work').get('counter'), -1)
    await store.close()
  })
}

for (const place of sweep(PLACES.filter(name => !/^(open\.folders|fold|merge|collect)/.test(name)))) {
  test(`stopped at ${place}, overtaken and woken, a writer acknowledges nothing more`, async t => {
    const directory = temporaryFolder(t)
    const first = await open(directory, UNLOCKED)
    first.map<string>('map').set('owner', 'first')
    await first.checkpoint()
    // Left open: its file has to be taken over. It does nothing any more.
    if (place === 'roll.sync-old') {
      // Only an epoch without its seal has to be made durable.
      await first.close()
      const [log] = readdirSync(join(directory, 'log'))
      const path = join(directory, 'log', log as string)
      truncateSync(path, statSync(path).size - FRAME_HEADER_BYTES - SEAL_BYTES)
    }
    const old = new Remote(t, [], { TIDEMARK_FAILPOINT: `${place}:1:stop` })
    const opening = old.call({ op: 'open', directory, settings: UNLOCKED }).catch(error => String(error))
    const setting = old.call({ op: 'set', key: 'owner', value: 'old' }).catch(error => String(error))
    // So much that blocks go before the commit, and the log is synced early however soon the commit comes.
    const large = { op: 'fill', from: 0, count: 60, characters: 40_000 } as const
    const filling = place.startsWith('block.') ? old.call(large).catch(error => String(error)) : undefined
    const committing = old.attempt({ op: 'checkpoint' })
    const closing = place.startsWith('close.') ? old.attempt({ op: 'close' }) : undefined
    await old.stopped()
    const young = await open(directory, UNLOCKED)
    const found = young.map<string>('map').get('owner')
    assert.ok(found === 'first' || found === 'old')
    young.map<string>('map').set('owner', 'young')
    const { epoch } = await young.checkpoint()
    process.kill(old.pid, 'SIGCONT')
    await Promise.all([opening, setting, filling, closing])
    const { answer, failed } = await committing
    if (answer !== undefined) {
      // Acknowledged: then it was decided before the stop, and the new writer built upon it.
      assert.match(place, /^(commit\.(acknowledge|seal|end)|close\.sync)$/)
      assert.equal(found, 'old')
      assert.ok((answer as { epoch: number }).epoch < epoch)
    } else if (failed?.code !== 'TIDEMARK_FENCED') {
      // It never got as far as being a writer.
      assert.match(place, /^open/)
    }
    young.map<string>('map').set('later', 'young')
    await young.checkpoint()
    await young.close()
    const store = await open(directory, ASKED)
    assert.deepEqual(
      new Map(store.map('map')),
      new Map([
        ['owner', 'young'],
        ['later', 'young'],
      ]),
    )
    await store.close()
    await first.close()
  })
}

for (const place of sweep(FAILPOINTS.filter(name => name.startsWith('fail.')))) {
  test(`stopped at ${place} after a failed sync, overtaken and woken, a writer harms nothing of the new one's`, async t => {
    if (NO_STRACE !== undefined) return t.skip(NO_STRACE)
    const directory = temporaryFolder(t)
    const { wrapper, env, assertInjected } = failing(t, 'fdatasync', 'EIO', 4)
    // With -D the service is the process that is started, and can be looked at.
    const [strace, ...args] = wrapper as [string, ...string[]]
    const old = new Remote(t, [strace, '-D', ...args], { ...env, TIDEMARK_FAILPOINT: `${place}:1:stop` })
    await old.call({ op: 'open', directory, settings: UNLOCKED })
    const replies: ReturnType<Remote['attempt']>[] = []
    for (let n = 1; n <= 5; n++) {
      void old.attempt({ op: 'set', key: 'latest', value: n })
      replies.push(old.attempt({ op: 'checkpoint' }))
    }
    await old.stopped()
    const young = await open(directory, UNLOCKED)
    const map = young.map<unknown>('map')
    const found = map.get('latest') as number
    map.set('owner', 'young')
    await young.checkpoint()
    process.kill(old.pid, 'SIGCONT')
    const failures = (await Promise.all(replies)).map(({ failed }) => failed?.code)
    assertInjected()
    const acknowledged = failures.findIndex(code => code !== undefined)
    assert.ok(acknowledged > 0, `the point was not reached: ${failures.join()}`)
    // Before it is truncated a manifest says that the file ends before the epoch that failed.
    const most = place === 'fail.truncate' ? acknowledged : acknowledged + 1
    assert.ok(found === acknowledged || found === most, `${found} after ${acknowledged} was acknowledged`)
    assert.equal(failures[acknowledged], 'TIDEMARK_FENCED')
    for (const code of failures.slice(acknowledged)) assert.match(code ?? 'acknowledged', /^TIDEMARK_(FENCED|FAILED)$/)
    map.set('later', 'young')
    await young.checkpoint()
    const expected = new Map(map)
    await young.close()
    const store = await open(directory, ASKED)
    assert.deepEqual(new Map([...store.map('map')].sort()), new Map([...expected].sort()))
    await store.close()
  })
}

for (const place of sweep(UPKEEP_FAILPOINTS)) {
  test(`stopped at ${place}, overtaken and woken, a writer's upkeep harms nothing of the new one's`, async t => {
    const directory = temporaryFolder(t)
    const retention = { keepLast: 1, keepMs: 0 }
    const old = new Remote(t, [], { TIDEMARK_FAILPOINT: `writer/${place}:1:stop` })
    await old.call({ op: 'open', directory, settings: { ...UNLOCKED, retention } })
    const rounds: Promise<unknown>[] = []
    for (let round = 0; round < 80; round++) {
      rounds.push(old.call({ op: 'fill', from: round * 7, count: 30, characters: 100 }).catch(error => String(error)))
      rounds.push(old.attempt({ op: 'checkpoint' }))
    }
    await old.stopped()
    const young = await open(directory, { ...UNLOCKED, retention })
    const map = young.map<unknown>('map')
    map.set('owner', 'young')
    await young.checkpoint()
    process.kill(old.pid, 'SIGCONT')
    // Where it stopped after the last round there is nothing left that would tell it.
    rounds.push(old.call({ op: 'set', key: 'owner', value: 'old' }).catch(error => String(error)))
    rounds.push(old.attempt({ op: 'checkpoint' }))
    assert.equal((await old.event('error')).code, 'TIDEMARK_FENCED')
    await Promise.all(rounds)
    await old.leave()
    map.set('later', 'young')
    await young.checkpoint()
    const expected = new Map(map)
    assert.ok(expected.size > 20)
    await young.close()
    const store = await open(directory, ASKED)
    assert.deepEqual(new Map([...store.map('map')].sort()), new Map([...expected].sort()))
    await store.close()
  })
}

for (const round of sweep([1, 2, 3])) {
  test(`of several openers at once, no acknowledged write of any is missing (round ${round})`, async t => {
    const directory = temporaryFolder(t)
    const openers = Array.from({ length: 4 }, () => new Remote(t))
    await Promise.all(openers.map(opener => opener.event('ready')))
    const acknowledged = new Map<string, unknown>()
    await Promise.all(
      openers.map(async (opener, at) => {
        const { failed } = await opener.attempt({ op: 'open', directory, settings: UNLOCKED })
        if (failed !== undefined) return assert.equal(failed.code, 'TIDEMARK_FENCED', JSON.stringify(failed))
        for (let n = 0; n < 5; n++) {
          await opener.call({ op: 'set', key: `opener ${at} write ${n}`, value: n })
          const result = await opener.attempt({ op: 'checkpoint' })
          if (result.failed !== undefined)
            return assert.match(result.failed.code, /^TIDEMARK_(FENCED|FAILED)$/, JSON.stringify(result.failed))
          acknowledged.set(`opener ${at} write ${n}`, n)
        }
      }),
    )
    for (const opener of openers) await opener.kill()
    const store = await open(directory, ASKED)
    const found = store.map('map')
    assert.ok(acknowledged.size >= 5, 'the last one to open is fenced by nobody')
    for (const [key, value] of acknowledged) assert.equal(found.get(key), value, `${key} was acknowledged`)
    await store.close()
  })
}
