/** One benchmark that throws loses none of the others, and is none that passed; the file says which run it is of. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { holds, outcomeOf, type Suite } from '../bench/harness/suite.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

const CONTEXT = { quick: true, reps: 1, engines: undefined, folder: '', progress: () => {} }

test('a benchmark that throws is told, and is a bound that no machine meets', async () => {
  const fine = { text: ['a table'], bounds: [], data: 5 }
  const suite = (run: Suite['run']): Suite => ({ name: 'a suite', about: '', run })
  assert.equal(
    await outcomeOf(
      suite(async () => fine),
      CONTEXT,
    ),
    fine,
  )
  for (const run of [
    async () => assert.fail('intended'),
    () => {
      throw new Error('intended')
    },
  ]) {
    const { text, bounds } = await outcomeOf(suite(run), CONTEXT)
    assert.match(text.join('\n'), /a suite threw: .*intended/)
    assert.deepEqual(
      bounds.map(bound => [bound.name, holds(bound), bound.robust]),
      [['a suite: ran to its end', false, true]],
    )
  }
})

test('what the others measured is in the file, and whose figures they are', t => {
  const folder = temporaryFolder(t)
  const json = join(folder, 'bench.json')
  const preload = join(folder, 'preload.mjs')
  writeFileSync(json, 'of another run')
  writeFileSync(preload, "if (process.argv[1]?.endsWith('worker.js')) process.exit(3)")
  const args = ['--quick', '--only', 'one-key', '--only', 'size', '--data', folder, '--json', json]
  const { status, stdout } = spawnSync(process.execPath, [join(root, '.build/bench/main.js'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` },
  })
  assert.equal(status, 1)
  assert.match(stdout, /one-key threw: .*ended without a result \(3\)/)
  assert.match(stdout, /^one-key: ran to its end .* NOT MET/m)
  assert.match(stdout, /1 of 2 bounds are NOT MET/)
  const report = JSON.parse(readFileSync(json, 'utf8'))
  assert.ok(report.figures.size.all === undefined && report.figures.size['tidemark itself'] > 0)
  assert.deepEqual(report.arguments, args)
  assert.ok(Number.isFinite(Date.parse(report.date)))
  assert.ok(report.commit === null || /^[0-9a-f]{40}( and changes)?$/.test(report.commit))
})
