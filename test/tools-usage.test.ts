/** How a command is read: what was given is what is done, or it is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportLines, restore } from '../src/tools/transfer.ts'
import { parse } from '../src/tools/usage.ts'

test('an option that is given twice is refused: only one of the two would be done; a flag may come again', () => {
  for (const [verb, args, name] of [
    [exportLines, ['s', '--collection', 'a', '--collection', 'b'], '--collection'],
    [exportLines, ['--at=1', 's', '--at', '1'], '--at'],
    [restore, ['s', '--to', '12', '--json', '--to', '9'], '--to'],
  ] as const) {
    const refused = { message: `${name} is given twice`, hint: `usage: tidemark ${verb.usage}`, status: 2 }
    assert.throws(() => parse(verb, args), refused)
  }
  assert.deepEqual(parse(restore, ['s', '--json', '--to', '9', '--no-lock', '--json', '--no-lock']).flags['to'], '9')
  assert.deepEqual(parse(exportLines, ['--collection', 'a', '--', '--collection']).positionals, ['--collection'])
})
