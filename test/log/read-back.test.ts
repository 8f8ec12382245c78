/** What is written to the log is read back before anything is built upon it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOG_FOLDER, LOG_HEADER_BYTES } from '../../src/format/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type Block, Life, readAll } from '../support/log-store.ts'

/** Of two blocks: the first goes to the log before the commit, which comes with the second. */
const content = (epoch: number): readonly Block[] => [[['big', `${epoch} `.repeat(200)]], [['k', `${epoch}`]]]

for (const part of ['header', 'block', 'commit'] as const) {
  for (const before of [0, 1]) {
    // The header is written with the first epoch alone.
    if (part === 'header' && before > 0) continue
    test(`a ${part} that does not read back is not acknowledged, and is written again to a new file; behind ${before} epochs`, async () => {
      const storage = new SimulatedStorage({ seed: 2 })
      const open = storage.open.bind(storage)
      let blockAt = LOG_HEADER_BYTES
      let lies = 0
      const isMeant = (at: number): boolean => (part === 'header' ? at === 0 : part === 'block' ? at === blockAt : at > blockAt)
      storage.open = async (path, mode) => {
        const file = await open(path, mode)
        const read = file.read.bind(file)
        file.read = async (offset, length) => {
          const bytes = await read(offset, length)
          if (mode === 'read' || lies === 0 || !isMeant(offset)) return bytes
          lies--
          bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
          return bytes
        }
        return file
      }
      const writer = await Life.open({ storage, compression: 'none' })
      // Without a scheduler a seal follows each commit at once.
      for (let epoch = 1; epoch <= before; epoch++) {
        await writer.mustCommit(content(epoch))
        blockAt = await storage.size('log/00000001-00000001.log')
      }
      lies = 1
      const answer = await writer.commit(content(before + 1))
      assert.equal(lies, 0)
      assert.ok(answer.type === 'failed')
      assert.match(answer.error.message, /does not read back/)
      assert.equal(answer.fatal, false)
      if (part === 'header') assert.deepEqual(await storage.list(LOG_FOLDER), [])
      const { rolled } = await writer.mustCommit(content(before + 1))
      assert.equal(rolled, true)
      await writer.close()
      const { epochs, report } = await readAll(storage)
      assert.deepEqual(
        epochs,
        Array.from({ length: before + 1 }, (_, at) => ({ epoch: at + 1, blocks: content(at + 1) })),
      )
      assert.equal(report.damage, null)
    })
  }
}
