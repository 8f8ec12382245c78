/** The directory is away for a moment while what the last run left is made durable. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failpoint } from '../../src/base/failpoint.ts'
import { logName } from '../../src/format/index.ts'
import type { Storage } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type Block, Life, readAll } from '../support/log-store.ts'

const block = (key: string): readonly Block[] => [[[key, '1']]]
const FILE = logName(1, 1)

/** Not there for the look that `looks` counts down to, nor for the one behind it. */
function away(storage: Storage, looks: { left: number }): Storage {
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === 'exists')
        return async (path: string) => (path !== FILE || ![0, -1].includes(--looks.left)) && (await target.exists(path))
      return (target as never as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]?.bind(target)
    },
  })
}

for (const [look, when] of ['before it is read', 'before it is written again', 'behind its sync'].entries()) {
  test(`a directory that is away ${when}, and is back, costs one attempt`, async () => {
    const storage = new SimulatedStorage({ seed: 1 })
    const failpoint: Failpoint = async name => {
      if (name === 'commit.seal') throw new Error('no seal')
    }
    await (await Life.open({ storage, name: 'first', failpoint })).mustCommit(block('a'))
    const looks = { left: Number.NEGATIVE_INFINITY }
    const life = await Life.open({ storage: away(storage, looks), name: 'second' })
    assert.notEqual(life.found.report.unproven, null)
    looks.left = look + 1
    const answer = await life.commit(block('b'))
    assert.ok(answer.type === 'failed')
    assert.equal(answer.error.code, 'TIDEMARK_STORAGE')
    assert.match(answer.error.hint ?? '', /moved away/)
    assert.equal(answer.fatal, false)
    await life.mustCommit(block('c'))
    await life.close()
    const { epochs } = await readAll(storage)
    assert.deepEqual(
      epochs.map(({ blocks }) => blocks[0]?.[0]?.[0]),
      ['a', 'c'],
    )
  })
}
