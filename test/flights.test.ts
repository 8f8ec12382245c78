/** The flights example in short: killed on its way, right in the end, and able to see when it is not. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { planDrill } from '../examples/flights/driver/drill.ts'
import { Load } from '../examples/flights/driver/load.ts'
import { request, ServiceProcess } from '../examples/flights/driver/service-process.ts'
import { type Flight, RowReader } from '../examples/flights/input/rows.ts'
import { DurablePosition } from '../examples/flights/service/durable-position.ts'
import { onFirstAnswer } from '../examples/flights/service/http.ts'
import { plainState } from '../examples/flights/service/plain-state.ts'
import { Flights } from '../examples/flights/service/state.ts'
import { root } from './root.ts'
import { mounts } from './support/cli.ts'
import { childrenOf, childrenUnknown } from './support/processes.ts'
import { sweep } from './support/share.ts'
import { temporaryFolder } from './temporary.ts'

/** Of a run that is waited for in one call. Others have no `timeout`: on Node.js 26 its timer outlives the child. */
const RUN_MS_MAX = 600_000
/** Where no request is judged there are few: they are most of what a short run takes. */
const FEW_REQUESTS = ['--requests', '30'] as const
const MAIN = join(root, '.build', 'examples', 'flights', 'main.js')

/** What the test looks at of the example's report. */
interface Report {
  readonly ok: boolean
  readonly kills: number
  readonly checkpoints: { readonly count: number }
  readonly latency: Readonly<Record<'withEngine' | 'withoutEngine' | 'withEngineCold' | 'withoutEngineCold', { readonly requests: number }>>
  readonly restarts: readonly { after: string; durableBefore: number; position: number; positionBefore: number }[]
  readonly compared: readonly { airportHours: number; recent: number; position: number; differences: number; shown: readonly string[] }[]
  readonly problems: readonly string[]
}

function run(...args: string[]): { status: number | null; report: Report; output: string } {
  const all = ['--enable-source-maps', MAIN, '--json', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    cwd: root,
    encoding: 'utf8',
    timeout: RUN_MS_MAX,
    killSignal: 'SIGKILL',
  })
  const output = `${stdout}\n${stderr}`
  assert.ok(stdout.startsWith('{'), output)
  return { status, report: JSON.parse(stdout) as Report, output }
}

test('every flight counts exactly once across kills', () => {
  const { status, report, output } = run('--events', '60000', '--days', '1', '--kills', '2')
  assert.equal(status, 0, output)
  assert.deepEqual(report.problems, [])
  assert.equal(report.kills, 2)
  assert.equal(report.restarts.at(-1)?.after, 'close')
  assert.equal(report.restarts[0]?.after, 'SIGKILL')
  for (const { durableBefore, position, positionBefore } of report.restarts) {
    assert.ok(durableBefore <= position && position <= positionBefore, output)
  }
  assert.equal(report.compared.length, 2)
  const { position: end = 0, recent: kept = 0 } = report.compared[0] ?? {}
  const last = report.restarts.filter(({ after }) => after === 'SIGKILL').at(-1)
  assert.ok((last?.position ?? 0) > end - kept, `no recent flight of those compared survived a kill:\n${output}`)
  for (const { position, differences, airportHours, recent } of report.compared) {
    assert.equal(differences, 0)
    assert.equal(position, 60_000)
    assert.ok(
      airportHours > 1000 && recent > 10_000 && recent < 30_000,
      `${airportHours} hours of airports, ${recent} recent flights: nothing expired?`,
    )
  }
  assert.ok(report.checkpoints.count > 2)
  const { withEngine, withoutEngine, withEngineCold, withoutEngineCold } = report.latency
  assert.ok(withEngine.requests > 100 && withoutEngine.requests > 100)
  assert.ok(withEngineCold.requests > 0 && withoutEngineCold.requests > 0, 'the first moments of both are set aside')
})

test('the last kill comes when some of what is recent at the end is durable', () => {
  for (const kills of [1, 2, 5]) {
    for (const chance of [0, 0.5, 0.999]) {
      const plan = planDrill({ flights: 1000, oldest: 900, flightsPerSecond: 100, kills }, () => chance)
      assert.equal(plan.kills.length, Math.max(1, kills - 1))
      const late = plan.kills.filter(({ durable }) => durable)
      assert.equal(late.length, 1)
      assert.ok((late[0]?.position ?? 0) > 900 && (late[0]?.position ?? 0) < 1000, JSON.stringify(plan.kills))
      assert.deepEqual(
        plan.kills,
        plan.kills.toSorted((a, b) => a.position - b.position),
      )
    }
  }
  assert.deepEqual(planDrill({ flights: 1000, oldest: 900, flightsPerSecond: 100, kills: 0 }, Math.random).kills, [])
})

test('a recent flight that was lost is missed when it would expire', () => {
  const flights = new Flights(plainState(), 1)
  const flight = (hours: number): Flight => ({ time: hours * 3_600_000, delay: 0, distance: 1, origin: 'ATL', destination: 'LAX' })
  flights.add([flight(0), flight(1)])
  flights.add([flight(25)])
  assert.deepEqual([...flights.recent.keys()], [1, 2])
  flights.recent.delete(1)
  assert.throws(() => flights.add([flight(27)]), /recent flight 1 is not there/)
})

test('a run over one flight, of airports that nobody asks for first', () => {
  const { status, output } = run('--events', '1', '--kills', '0', ...FEW_REQUESTS)
  assert.equal(status, 0, output)
})

test('requests that are late are sent over several turns, so that something else happens in between', async () => {
  let drawn = 0
  // All are due at once; then none for a while.
  const load = new Load(['/'], 1, () => (drawn++ < 2000 ? 0 : 0.999))
  load.start()
  let most = 0
  for (let missed = 0; missed < 1000; ) {
    await new Promise(resolve => setImmediate(resolve))
    most = Math.max(most, load.missed - missed)
    missed = load.missed
  }
  await load.stop()
  assert.ok(most > 0 && most <= 500, `${most} in one turn`)
})

test('one flight too many is found', () => {
  const { status, report } = run('--events', '20000', '--rate', '10000', '--days', '1', '--kills', '1', '--falsify', ...FEW_REQUESTS)
  assert.equal(status, 1)
  assert.equal(report.ok, false)
  assert.deepEqual(report.problems, [])
  for (const { differences, shown } of report.compared) {
    assert.equal(differences, 3, 'origin, destination and route')
    assert.match(shown.join('\n'), /airports ATL\/0: .*\n.*airports LAX\/0: .*\n.*routes ATL-LAX\/0: /)
  }
})

/** Serves on, and does at each mark what is to be done there. `service`: its process. */
async function serves(t: TestContext, steps: readonly { mark: string; act(driver: ChildProcess, service: () => number): void }[]) {
  const folder = temporaryFolder(t)
  const args = [
    MAIN,
    '--events',
    '5000',
    '--rate',
    '5000',
    '--days',
    '1',
    '--kills',
    '0',
    '--serve',
    '--port',
    '0',
    '--json',
    ...FEW_REQUESTS,
  ]
  const child = spawn(process.execPath, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  const work = (): string[] => readdirSync(join(folder, '.data'))
  const service = (): number => childrenOf(child.pid as number)[0] as number
  let said = ''
  let step = 0
  let before: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    for (let next = steps[step]; next !== undefined && said.includes(next.mark); next = steps[++step]) {
      if (step === 0) before = work()
      next.act(child, service)
    }
  })
  const [status, signal] = await new Promise<[number | null, string | null]>(resolve => child.once('close', (...how) => resolve(how)))
  assert.equal(signal, null, said)
  assert.equal(step, steps.length, said)
  assert.equal(before.length, 1)
  assert.deepEqual(work(), [])
  return { status, said }
}

test('what serves on ends by a signal that comes more than once, its state closed and its work folder gone', async t => {
  const { status, said } = await serves(t, [
    { mark: 'serving on ', act: driver => driver.kill('SIGINT') },
    { mark: 'closing\n', act: driver => ['SIGINT', 'SIGTERM'].every(signal => driver.kill(signal as NodeJS.Signals)) },
  ])
  assert.equal(status, 0, said)
})

test('what serves on ends with its service, says how that ended, and leaves no work folder', { skip: childrenUnknown }, async t => {
  const { status, said } = await serves(t, [{ mark: 'serving on ', act: (_driver, service) => process.kill(service(), 'SIGKILL') }])
  assert.equal(status, 1, said)
  assert.match(said, /^PROBLEM: with the engine: the tidemark service ended with SIGKILL$/m)
})

test('a last close that fails is told, and is in the exit status', { skip: childrenUnknown }, async t => {
  let pid = 0
  const { status, said } = await serves(t, [
    {
      mark: 'serving on ',
      act: (driver, service) => {
        pid = service()
        process.kill(pid, 'SIGSTOP')
        driver.kill('SIGINT')
      },
    },
    {
      mark: 'closing\n',
      act: () => {
        // Of the signals that wait for it the one of the lower number is first: it ends before it can close.
        process.kill(pid, 'SIGALRM')
        process.kill(pid, 'SIGCONT')
      },
    },
  ])
  assert.equal(status, 1, said)
  assert.match(said, /^PROBLEM: with the engine: the tidemark service ended with SIGALRM$/m)
})

for (const [signal, status] of sweep([
  ['SIGHUP', 129],
  ['SIGTERM', 143],
] as const)) {
  test(`a run that is ended by ${signal} leaves no work folder and no service behind`, async t => {
    const folder = temporaryFolder(t)
    const args = [MAIN, '--events', '20000', '--rate', '1000', '--days', '1', '--kills', '0', '--json', ...FEW_REQUESTS]
    const child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.after(() => child.kill('SIGKILL'))
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      // It flies, so it has services.
      if (/^fly +█/m.test(said)) child.kill(signal)
    })
    // Closed only when the services, which have its standard error, are gone too.
    assert.deepEqual(await new Promise(resolve => child.once('close', (...how) => resolve(how))), [status, null], said)
    assert.deepEqual(readdirSync(join(folder, '.data')), [])
  })
}

for (const [gone, wanted] of sweep([
  ['stderr', 0],
  ['stdout', 1],
] as const)) {
  test(`whoever reads its ${gone} may go away: it ends as it would, with status ${wanted}, and leaves no work folder`, async t => {
    const folder = temporaryFolder(t)
    const args = [MAIN, '--events', '2000', '--rate', '2000', '--days', '1', '--kills', '0', '--json', ...FEW_REQUESTS]
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill('SIGKILL'))
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text))
    child.stderr.once('data', () => child[gone].destroy())
    const [status] = await once(child, 'close')
    assert.equal(status, wanted, said.stderr)
    assert.deepEqual(readdirSync(join(folder, '.data')), [])
    if (gone === 'stderr') assert.equal((JSON.parse(said.stdout) as Report).ok, true)
    else assert.match(said.stderr, /\nPROBLEM: the report could not be written: write EPIPE\n$/)
  })
}

test('what a full disk takes a part of is no success', { skip: !mounts && 'nothing can be mounted here' }, t => {
  const full = temporaryFolder(t)
  // A page in all, with room for the beginning.
  const script = 'mount -t tmpfs -o size=4k none "$0" && head -c 4000 /dev/zero > "$0/said" && exec "$@" >> "$0/said"'
  const command = ['-m', 'sh', '-c', script, full, process.execPath, MAIN, '--help']
  const { status, stderr } = spawnSync('unshare', command, { encoding: 'utf8' })
  assert.equal(status, 1, stderr)
  assert.match(stderr, /^PROBLEM: the report could not be written: ENOSPC/)
})

test('what cannot be asked for is told before anything is unpacked, in words', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const used = String((server.address() as { port: number }).port)
  for (const [args, said] of [
    [['--port', '70000'], /^--port takes a whole number from 0 to 65535, not "70000"\n/],
    [['--port', used], new RegExp(`^port ${used} cannot be listened on: `)],
    [['--requests', '100000'], /^--requests takes a whole number from 1 to 5000, not "100000"\n/],
    [['--seed', ''], /^--seed takes a whole number from 0 on, not ""\n/],
    [['--kills', '10000000000'], /^--kills takes a whole number from 0 to 1000, not "10000000000"\n/],
    [['--interval', '3000000000'], /^--interval takes a whole number from 1 to 2147483647, not "3000000000"\n/],
    [['--batch', '20000'], /^--batch takes a whole number from 1 to 10000, not "20000"\n/],
    [['--hills', '1'], /^Unknown option '--hills'/],
  ] as const) {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: temporaryFolder(t),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.after(() => child.kill('SIGKILL'))
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const [status] = await once(child, 'close')
    assert.deepEqual([status, output], [1, ''])
    assert.match(errors, said)
    assert.doesNotMatch(errors, /\n {4}at /)
  }
})

test('durable is what was in memory at the barrier of an epoch that is', () => {
  const durable = new DurablePosition(100)
  assert.equal(durable.position, 100)
  durable.added(200)
  durable.barrier(7)
  durable.added(300)
  // The epoch failed or its cut moved: it has another barrier.
  durable.barrier(7)
  durable.added(400)
  assert.equal(durable.position, 100)
  durable.checkpoint(7)
  assert.equal(durable.position, 300)
  durable.barrier(8)
  durable.checkpoint(8)
  assert.equal(durable.position, 400)
})

test('rows that are not all there are no flights', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'rows.json'), JSON.stringify({ rows: 3, airports: ['ATL'] }))
  writeFileSync(join(folder, 'rows.bin'), Buffer.alloc(2 * 12 + 5))
  const rows = await RowReader.open(folder)
  t.after(() => rows.close())
  assert.equal((await rows.read(0, 2)).length, 2)
  await assert.rejects(rows.read(1, 3), /^Error: rows\.bin is shorter than rows\.json says: delete \.data and start again$/)
})

test('somebody who asks first and never takes the answer does not stand in the way of the first answer', async t => {
  let asked = 0
  const server = createHttpServer((_request, response) => {
    if (++asked > 1) response.end('answer')
  }).listen(0, '127.0.0.1')
  t.after(() => server.closeAllConnections())
  t.after(() => server.close())
  let answers = 0
  onFirstAnswer(server, () => answers++)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const stranger = get({ port, host: '127.0.0.1' }).on('error', () => {})
  await once(server, 'request')
  for (let n = 0; n < 2; n++) assert.equal(await request(port, '/'), 'answer')
  assert.equal(answers, 1)
  stranger.destroy()
})

test('a service that cannot be started is told of, and nobody waits for it', async t => {
  const problems: string[] = []
  const folder = temporaryFolder(t)
  const settings = { engine: 'tidemark', stateFolder: folder, inputFolder: folder, port: 0, flightsPerSecond: 1, batchFlights: 1 } as const
  const { execPath } = process
  process.execPath = join(folder, 'nowhere')
  t.after(() => (process.execPath = execPath))
  const listeners = { onProblem: (text: string) => void problems.push(text) }
  const service = new ServiceProcess({ ...settings, keepDays: 1, checkpointIntervalMs: 500, falsifyAt: null }, listeners)
  const how = /^the tidemark service could not be started: spawn .*nowhere ENOENT$/
  await assert.rejects(service.firstAnswer(0), { message: how })
  await assert.rejects(service.pause(), { message: how })
  await Promise.all([service.ended, service.kill(), service.terminate()])
  assert.equal(problems.length, 1)
  assert.match(problems[0] as string, how)
})

test('a service whose driver is gone before it is open ends, and closes what it opened', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'rows.json'), JSON.stringify({ rows: 0, airports: [] }))
  writeFileSync(join(folder, 'rows.bin'), '')
  const settings = { engine: 'tidemark', stateFolder: join(folder, 'state'), inputFolder: folder, port: 0, flightsPerSecond: 1 }
  const text = JSON.stringify({ ...settings, batchFlights: 1, keepDays: 1, checkpointIntervalMs: 500, falsifyAt: null })
  const service = join(root, '.build', 'examples', 'flights', 'service', 'main.js')
  for (const waitMs of sweep([0, 100, 200, 400])) {
    const child = spawn(process.execPath, [service, text], { stdio: ['ignore', 2, 2, 'ipc'] })
    t.after(() => child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    setTimeout(() => child.disconnect(), waitMs)
    assert.deepEqual(await ended, [0, null], `${waitMs} ms`)
  }
})
