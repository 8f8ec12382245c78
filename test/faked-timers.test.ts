/** A service whose tests fake the timers of the process, as libraries for tests do: the engine's own time goes on. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { open } from 'tidemark'
import { temporaryFolder } from './temporary.ts'

const NAMES = ['performance', 'setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'Date'] as const
const RealDate = Date
/** As a library sees it, which gets it by `require`. */
const timers = createRequire(import.meta.url)('node:timers') as Record<string, unknown>

/** Time runs backwards, and nothing that is scheduled ever runs. Gives what takes the fakes back. */
function fakeTimers(): () => void {
  let now = 0
  const fakes = {
    performance: { now: () => --now },
    setTimeout: () => 1,
    clearTimeout() {},
    setImmediate: () => 1,
    clearImmediate() {},
    Date: class ClockDate extends RealDate {},
  }
  const own = NAMES.map(name => Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor)
  for (const name of NAMES) Object.defineProperty(globalThis, name, { value: fakes[name], configurable: true, writable: true })
  return () => {
    for (const [at, name] of NAMES.entries()) Object.defineProperty(globalThis, name, own[at] as PropertyDescriptor)
  }
}

/** The same of the module, which the tests' own runner uses, too: for moments. */
async function withFakedModule<T>(run: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setImmediate, clearImmediate } = timers
  Object.assign(timers, { setTimeout: () => 1, clearTimeout() {}, setImmediate: () => 1, clearImmediate() {} })
  try {
    return await run()
  } finally {
    Object.assign(timers, { setTimeout, clearTimeout, setImmediate, clearImmediate })
  }
}

// The first one: a store loads what it needs with the first `open`.
for (const when of ['before it is opened', 'while it is open'] as const) {
  test(`a store goes on where timers are faked ${when}`, async t => {
    // The engine's own timers keep no process alive.
    const alive = setInterval(() => {}, 1000)
    const isFirst = when === 'before it is opened'
    let restore = isFirst ? fakeTimers() : undefined
    t.after(() => {
      restore?.()
      clearInterval(alive)
    })
    const opened = () => open(':memory:', { checkpoint: { intervalMs: 20 } })
    const store = isFirst ? await withFakedModule(opened) : await opened()
    restore ??= fakeTimers()
    const map = store.map<number>('map')
    const automatic = new Promise(resolve => store.on('checkpoint', resolve))
    map.set('a', 1)
    await automatic
    map.set('a', 2)
    await store.durable()
    assert.equal(store.stats().status, 'ok')
    await store.close()
  })
}

// Behind a first open while it was faked.
test('a Date is stored, and comes back as one of the class of the platform, where the class is faked', async () => {
  const restore = fakeTimers()
  try {
    const store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
    const map = store.map<{ at: Date }>('map')
    map.set('a', { at: new RealDate(1000) })
    await store.durable()
    const failure = new Error('rolled back')
    const fails = (): void =>
      store.transaction(() => {
        map.update('a', value => void value.at.setTime(2000))
        throw failure
      })
    assert.throws(fails, failure)
    const value = map.get('a')
    assert.equal(value && Object.getPrototypeOf(value.at), RealDate.prototype)
    assert.equal(value?.at.getTime(), 1000)
    map.set('a', { at: value.at })
    await store.durable()
    await store.close()
  } finally {
    restore()
  }
})

test('a store opens, and its points have a time, where Date.now was stubbed and gives none', async t => {
  const folder = temporaryFolder(t)
  for (const none of [undefined, Number.NaN, -1, 1e20]) {
    const { mock } = t.mock.method(Date, 'now', () => none as never)
    try {
      const store = await open(folder, { checkpoint: { intervalMs: 0 } })
      await assert.rejects(open(folder), { code: 'TIDEMARK_LOCKED', message: /by this process$/ })
      store.map<unknown>('map').set('a', none)
      assert.equal((await store.checkpoint()).time, 0)
      await store.close()
    } finally {
      mock.restore()
    }
  }
})
