/** docs/errors.md and the code say the same, and every code is one that can happen. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CODES, hasCode, TidemarkError } from '../src/base/errors.ts'
import { root } from './root.ts'
import { blank, isTest } from './tidy-rules.ts'

/** Codes whose stage is not built yet. Take a code out when the stage comes: one that is in use may not stand here. */
const PENDING: ReadonlySet<string> = new Set()

const KINDS = new Set<string>(Object.values(CODES))

/** Rows of the table: | `CODE` | kind | when | what to do | */
function rowsOf(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter(line => line.startsWith('| `TIDEMARK_'))
    .map(line =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}

/** What is wrong with the table, in words. */
function disagreements(markdown: string, codes: Readonly<Record<string, string>>): string[] {
  const rows = rowsOf(markdown)
  const documented = new Map(rows.map(row => [row[0]?.slice(1, -1) ?? '', row]))
  const problems: string[] = []
  if (documented.size !== rows.length) problems.push('a code stands twice')
  for (const [code, kind] of Object.entries(codes)) {
    const row = documented.get(code)
    if (row === undefined) problems.push(`${code} is not documented`)
    else if (row[1] !== kind) problems.push(`${code} is of kind ${kind}, not ${row[1]}`)
  }
  for (const [code, row] of documented) {
    if (!(code in codes)) problems.push(`${code} is documented but does not exist`)
    if (row.length !== 4 || row.some(cell => cell === '')) problems.push(`${code} needs four cells with text`)
  }
  return problems
}

function usedCodes(): Set<string> {
  const used = new Set<string>()
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts') || isTest(entry) || entry.endsWith('errors.ts')) continue
    for (const [code] of blank(readFileSync(join(root, 'src', entry), 'utf8'), false).matchAll(/\bTIDEMARK_[A-Z_]+/g)) used.add(code)
  }
  // assert() raises it.
  used.add('TIDEMARK_BUG')
  return used
}

test('docs/errors.md lists exactly the codes of the code, each with its kind', () => {
  const table = '| `TIDEMARK_A` | input | when | do |\n| `TIDEMARK_B` | state | when | do |'
  assert.deepEqual(disagreements(table, { TIDEMARK_A: 'input', TIDEMARK_B: 'state' }), [])
  assert.equal(disagreements(table, { TIDEMARK_A: 'input' }).length, 1)
  assert.equal(disagreements(table, { TIDEMARK_A: 'input', TIDEMARK_B: 'bug' }).length, 1)
  assert.equal(disagreements(table, { TIDEMARK_A: 'input', TIDEMARK_B: 'state', TIDEMARK_C: 'bug' }).length, 1)
  assert.equal(disagreements(`${table}\n| \`TIDEMARK_B\` | state | when | do |`, { TIDEMARK_A: 'input', TIDEMARK_B: 'state' }).length, 1)
  assert.equal(disagreements('| `TIDEMARK_A` | input | when | |', { TIDEMARK_A: 'input' }).length, 1)
  assert.deepEqual(disagreements(readFileSync(join(root, 'docs/errors.md'), 'utf8'), CODES), [])
})

test('every code is used by the engine, and no other', () => {
  const used = usedCodes()
  const unused = Object.keys(CODES).filter(code => !used.has(code) && !PENDING.has(code))
  assert.deepEqual(unused, [], 'codes nobody uses: raise them or remove them')
  const late = [...PENDING].filter(code => used.has(code))
  assert.deepEqual(late, [], 'codes in use: take them out of PENDING')
  // The last is the name of an environment variable.
  const unknown = [...used].filter(code => !(code in CODES) && code !== 'TIDEMARK_FAILPOINT')
  assert.deepEqual(unknown, [], 'codes that are not in CODES')
})

test('an error carries its kind, and its code is known when it crossed a thread as plain data', () => {
  assert.ok(KINDS.size > 1)
  const error = new TidemarkError('TIDEMARK_LOCKED', 'locked', { hint: 'close the other one', cause: new Error('cause') })
  assert.equal(error.kind, 'state')
  assert.equal((error.cause as Error).message, 'cause')
  assert.ok(hasCode(error, 'TIDEMARK_LOCKED'))
  const { code, message, hint, info } = error
  assert.ok(hasCode(structuredClone({ code, message, hint, info }), 'TIDEMARK_LOCKED'))
  assert.ok(!hasCode(error, 'TIDEMARK_BUG') && !hasCode(null, 'TIDEMARK_BUG'))
})
