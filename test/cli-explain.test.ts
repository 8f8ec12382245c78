/** The command line: what the scheduler decided, live and stored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Decision, type Explanation, explain, open } from 'tidemark'
import { DECISIONS } from '../src/schedule/index.ts'
import { explain as verb } from '../src/tools/explain.ts'
import { json, MANUAL, make, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

test('explain shows the decisions that a process kept, and says so where there are none', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 20 } })
  const players = store.map<number>('players')
  const told: Decision[] = []
  const four = new Promise<void>(resolve => {
    store.on('decision', decision => {
      told.push(decision)
      if (told.filter(({ type }) => type === 'barrier').length === 4) resolve()
    })
  })
  // A timer of the store keeps no process alive; this one does.
  const writing = setInterval(() => players.set('ada', performance.now()), 2)
  await four
  clearInterval(writing)
  assert.ok(told.some(({ type, reason }) => type === 'barrier' && reason === 'interval'))
  assert.equal(store.stats().schedule?.decisions, told.length)
  await store.close()
  const kept = (await explain(folder)).decisions
  assert.equal(kept.reduce((sum, { times }) => sum + times, 0) >= 4, true)
  assert.deepEqual((json('explain', folder) as Explanation).decisions, kept)
  const { out, status } = run(['explain', folder])
  assert.equal(status, 0)
  assert.match(out, /a checkpoint: the window was over {2}\(windowMs /)
  assert.match(out, /^as of 20/m)
  const again = await open(folder)
  assert.deepEqual((json('explain', folder) as Explanation).decisions, kept, 'beside a living writer')
  await again.close()
})

test('explain of a store without automatic checkpoints has nothing to say', async t => {
  const folder = await make(temporaryFolder(t))
  assert.deepEqual(json('explain', folder), { savedMs: 0, cycleMs: 0, decisions: [], day: [] })
  assert.match(run(['explain', folder]).out, /nothing is kept yet/)
  const store = await open(folder, MANUAL)
  assert.deepEqual(store.decisions(), [])
  await store.close()
})

test('every decision there is has a meaning for people', async () => {
  assert.ok(verb.what.length > 0)
  const { readFileSync } = await import('node:fs')
  const { join } = await import('node:path')
  const { root } = await import('./root.ts')
  const text = readFileSync(join(root, 'src/tools/explain.ts'), 'utf8')
  const operate = readFileSync(join(root, 'docs/operate/explain.md'), 'utf8')
  for (const [type, reasons] of Object.entries(DECISIONS)) {
    for (const reason of reasons) {
      assert.ok(text.includes(`'${type} ${reason}':`), `${type} ${reason}`)
      assert.ok(operate.includes(`\`${type}\` \`${reason}\``), `docs/operate: ${type} ${reason}`)
    }
  }
})
