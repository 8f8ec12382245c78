/** What a checkpoint of one changed key costs: system calls, counted from outside, and time. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import type { Bound, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { OneKeyAssignment, OneKeyResult } from './contract.ts'
import { countCalls } from './trace.ts'

const CHECKPOINTS = 50

export const oneKey: Suite = {
  name: 'one-key',
  about: 'a checkpoint of one changed key: system calls (strace) and time',
  async run(context) {
    const job = (folder: string): OneKeyAssignment => {
      mkdirSync(join(context.folder, folder), { recursive: true })
      return {
        folder: join(context.folder, folder),
        keys: 10_000,
        checkpoints: CHECKPOINTS,
        begin: join(context.folder, 'begin'),
        end: join(context.folder, 'end'),
      }
    }
    const worker = beside(import.meta.url, 'worker')
    const times = await runChild<OneKeyResult>(worker, job('store-timed'))
    const text = [`median of ${CHECKPOINTS} checkpoints: ${times.result.ms.toFixed(2)} ms`]
    if (spawnSync('strace', ['-V'], { stdio: 'ignore' }).status !== 0) {
      return {
        text,
        bounds: [],
        data: { ms: times.result.ms },
        missing: ['system calls of a checkpoint: strace (Debian package strace) is not there'],
      }
    }
    const output = join(context.folder, 'trace.txt')
    const traced = job('store-traced')
    await runChild<OneKeyResult>(worker, traced, { under: ['strace', '-f', '-qq', '-y', '-e', 'trace=desc,file', '-o', output] })
    const { groups, calls } = countCalls(readFileSync(output, 'utf8'), traced.folder, traced.begin, traced.end)
    const rows = Object.entries(calls).map(([name, count]) => [name, count / CHECKPOINTS])
    text.push(table(['calls on the store per checkpoint', ''], rows))
    const most = (name: string, count: number): Bound => ({
      name: `checkpoint of one key: ${name}`,
      measured: count / CHECKPOINTS,
      sense: 'at most',
      limit: 1,
      unit: 'calls',
      robust: true,
    })
    return {
      text,
      bounds: [most('appends', groups.append), most('syncs', groups.sync), most('reads', groups.read)],
      data: { ms: times.result.ms, calls },
    }
  },
}
