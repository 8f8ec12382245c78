import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import threads from 'node:worker_threads'
import { openStore } from '../../src/open.ts'
import { FileStorage } from '../../src/storage/index.ts'
import type { FromWriter } from '../../src/writer/index.ts'
import { ThreadHost } from '../../src/writer/index.ts'
import { type Block, Life, readAll } from '../support/log-store.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-'))
  folders.push(folder)
  return folder
}

function threaded(root: string, name: string): Promise<Life> {
  return Life.open({
    storage: new FileStorage(root),
    name,
    host: facts => new ThreadHost({ root, facts: { ...facts, compression: 'zstd' }, fileBytesMax: 20_000 }),
  })
}

test('a writer in a thread commits, rolls, credits what it took, and closes', async () => {
  const root = temporary()
  const expected: unknown[] = []
  for (let life = 0; life < 2; life++) {
    const writer = await threaded(root, `thread ${life}`)
    let posted = 0
    for (let count = 0; count < 6; count++) {
      const blocks: readonly Block[] = Array.from({ length: 4 }, (_, index) => [
        [`${life} ${count} ${index}`, String(Math.random()).repeat(200)],
      ])
      const message = await writer.mustCommit(blocks)
      posted += message.rawBytes
      expected.push({ epoch: message.epoch, blocks })
    }
    await writer.close()
    await writer.close()
    const credits = writer.messages.filter(message => message.type === 'credit')
    assert.equal(
      credits.reduce((sum, { bytes }) => sum + bytes, 0),
      posted,
    )
    const took = credits.flatMap(credit => credit.took ?? [])
    assert.equal(took.length, 3 * 6, 'what comes with the commit is not timed')
    for (const { ms, workMs } of took) assert.ok(workMs >= 0 && workMs <= ms, `${workMs} of ${ms}`)
  }
  const { epochs, opened } = await readAll(new FileStorage(root))
  assert.deepEqual(epochs, expected)
  assert.ok(opened.manifest.log.length >= 2)
})

test('a thread that dies is reported once, and closing still ends', async () => {
  const root = temporary()
  const manifest = { ...(await threaded(root, 'x')).manifest, log: 'no list' as never }
  const acceptedEnd = { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }
  const host = new ThreadHost({ root, facts: { manifest, acceptedEnd, unproven: null, compression: 'none' } })
  host.keepAlive(true)
  const messages: FromWriter[] = []
  await new Promise<void>(resolve => {
    host.onMessage(message => {
      messages.push(message)
      resolve()
    })
  })
  assert.equal(messages[0]?.type, 'failed')
  assert.equal(messages[0]?.type === 'failed' && messages[0].fatal, true)
  host.post({ type: 'reset', attempt: 2 })
  await host.close()
  assert.equal(messages.length, 1)
})

test('a thread of which a message cannot be read is ended, and the lock is kept until it is', async t => {
  const root = temporary()
  const workers: threads.Worker[] = []
  const note = (worker: threads.Worker): void => void workers.push(worker)
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  const store = await openStore(root)
  store.value('a', 0).set(1)
  await store.durable()
  const [worker] = workers
  assert.ok(worker !== undefined && workers.length === 1)
  let exited = false
  worker.on('exit', () => {
    exited = true
  })
  const errors: unknown[] = []
  store.on('error', error => errors.push(error))
  worker.emit('messageerror', new Error('cannot be read'))
  assert.equal(store.status, 'failed')
  store.value('a', 0).set(2)
  await assert.rejects(store.close(), { code: 'TIDEMARK_FAILED', message: /cannot be read/ })
  assert.ok(exited, 'the lock was given back to others while the thread ran')
  assert.equal(errors.length, 1)
  const again = await openStore(root)
  assert.equal(again.value('a', 0).get(), 1)
  await again.close()
})

test('a terminated writer is silent, and its store opens again', async () => {
  const root = temporary()
  const first = await threaded(root, 'first')
  await first.mustCommit([[['a', '1']]])
  first.host.terminate()
  await first.close()
  const second = await threaded(root, 'second')
  assert.equal(second.found.epochs.length, 1)
  await second.mustCommit([[['a', '2']]])
  await second.close()
  assert.equal((await readAll(new FileStorage(root))).epochs.length, 2)
})

/** The first message of this type is not taken, as for want of memory. */
function refusesOne(t: TestContext, type: string): { readonly refused: boolean } {
  const state = { refused: false }
  const { postMessage } = threads.Worker.prototype
  t.mock.method(threads.Worker.prototype, 'postMessage', function (this: threads.Worker, message: { type: string }, transfer?: []) {
    if (message.type !== type || state.refused) return postMessage.call(this, message, transfer)
    state.refused = true
    throw new RangeError('Array buffer allocation failed')
  })
  return state
}

for (const type of ['ending', 'close']) {
  test(`a close of which the message '${type}' cannot be posted gives back the lock, and nothing is lost`, async t => {
    const root = temporary()
    const store = await openStore(root)
    store.value('a', 0).set(1)
    const state = refusesOne(t, type)
    const errors: unknown[] = []
    store.on('error', error => errors.push(error))
    await store.close()
    assert.deepEqual([state.refused, store.status, errors], [true, 'closed', []])
    const again = await openStore(root)
    assert.equal(again.value('a', 0).get(), 1)
    await again.close()
  })
}

test('advice that cannot be posted is dropped, and nobody is thrown at; of an attempt whoever posts is told', async t => {
  const { host } = await threaded(temporary(), 'advice')
  for (const message of [{ type: 'ending' }, { type: 'fold' }, { type: 'upkeep-level', level: 'held', ms: 1000 }] as const) {
    const state = refusesOne(t, message.type)
    host.post(message)
    assert.ok(state.refused)
  }
  refusesOne(t, 'reset')
  assert.throws(() => host.post({ type: 'reset', attempt: 2 }), RangeError)
  await host.close()
})

function runScript(
  body: string,
  env: Readonly<Record<string, string>> = {},
): { status: number | null; signal: string | null; stdout: string; stderr: string } {
  const script = `
    import { ThreadHost } from ${JSON.stringify(new URL('../../src/writer/thread-host.js', import.meta.url).href)}
    import { openForWriting } from ${JSON.stringify(new URL('../../src/restore/open.js', import.meta.url).href)}
    import { FileStorage } from ${JSON.stringify(new URL('../../src/storage/index.js', import.meta.url).href)}
    import { systemRandom } from ${JSON.stringify(new URL('../../src/base/random.js', import.meta.url).href)}
    const root = ${JSON.stringify(temporary())}
    const { manifest } = await openForWriting(new FileStorage(root), { createdBy: 'test', random: systemRandom })
    const acceptedEnd = { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }
    const host = new ThreadHost({ root, facts: { manifest, acceptedEnd, unproven: null, compression: 'none' } })
    ${body}
  `
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
}

const COMMIT = `{ type: 'commit', attempt: 1, epoch: 1, timeMs: 1, bytes: new Uint8Array(0), records: 0, catalogue: [], refused: 0 }`

test('an idle writer does not keep the process alive, neither while it starts nor later', () => {
  for (const body of ['', 'await new Promise(resolve => setTimeout(resolve, 500))', 'host.keepAlive(true); host.keepAlive(false)']) {
    const { status, signal, stderr } = runScript(body)
    assert.equal(signal, null, `${body}: ${stderr}`)
    assert.equal(status, 0, `${body}: ${stderr}`)
  }
})

test('a commit under way keeps the process alive until it is answered, and no longer', () => {
  const { status, signal, stdout, stderr } = runScript(
    `host.onMessage(message => console.log(message.type, message.error?.message ?? '')); host.post(${COMMIT})`,
  )
  assert.equal(signal, null, stderr)
  assert.equal(status, 0, stderr)
  assert.equal(stdout, 'committed \n')
})

test('what NODE_OPTIONS loads first, as the code that opens the store, does not run in the thread', () => {
  const setup = join(temporary(), 'setup.mjs')
  writeFileSync(setup, "import { isMainThread } from 'node:worker_threads'\nif (!isMainThread) throw new Error('in the thread')\n")
  const { status, stdout, stderr } = runScript(
    `host.onMessage(message => console.log(message.type, message.error?.message ?? '')); host.post(${COMMIT})`,
    { NODE_OPTIONS: `--import=${pathToFileURL(setup).href}` },
  )
  assert.equal(status, 0, stderr)
  assert.equal(stdout, 'committed \n')
})

test('an open for which no thread can be started says so, and leaves the store as it was', async t => {
  const root = temporary()
  const { Worker } = threads
  const cause = Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' })
  const replace = (by: typeof Worker): void => {
    threads.Worker = by
    syncBuiltinESMExports()
  }
  t.after(() => replace(Worker))
  replace(
    class {
      constructor() {
        throw cause
      }
    } as never,
  )
  await assert.rejects(openStore(root), {
    code: 'TIDEMARK_FAILED',
    message: /^the writer's thread cannot be started: .*EAGAIN$/,
    hint: /ulimit -u/,
    cause,
  })
  replace(Worker)
  const store = await openStore(root)
  store.value('a', 0).set(1)
  await store.close()
})

test('only the writer gives way: the process and the threads it had keep their priority', async () => {
  const before = getPriority()
  // The pool for files has its threads, as after every `open`.
  await new FileStorage(temporary()).makeFolder('a')
  const had = niceOfThreads()
  const writer = await threaded(temporary(), 'nice')
  await writer.mustCommit([[['key', 'value']]])
  assert.equal(getPriority(), before)
  const have = niceOfThreads()
  for (const [id, nice] of had) assert.equal(have.get(id) ?? nice, nice)
  if (process.platform === 'linux') assert.ok([...have].some(([id, nice]) => !had.has(id) && nice === 10))
  await writer.close()
})

test('in a process that gives way more than the writer would, it does not do so less', { skip: process.platform !== 'linux' }, () => {
  const { status, stdout, stderr } = runScript(`
    import { setPriority } from 'node:os'
    import { readdirSync, readFileSync } from 'node:fs'
    ${niceOfThreads}
    setPriority(19)
    const had = niceOfThreads()
    const late = new ThreadHost({ root, facts: { manifest, acceptedEnd, unproven: null, compression: 'none' } })
    late.onMessage(({ type }) => {
      const come = [...niceOfThreads()].filter(([id]) => !had.has(id))
      console.log(type, come.length > 0, come.every(([, nice]) => nice === 19))
    })
    late.post(${COMMIT})
  `)
  assert.equal(status, 0, stderr)
  assert.equal(stdout, 'committed true true\n')
})

/** By thread; empty where the system does not tell. */
function niceOfThreads(): Map<string, number> {
  if (process.platform !== 'linux') return new Map()
  const nices = new Map<string, number>()
  for (const id of readdirSync('/proc/self/task')) {
    try {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, 'latin1')
      // Behind the name, which may hold anything, it is the 17th field.
      nices.set(id, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))
    } catch (error) {
      // It has ended since.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  return nices
}
