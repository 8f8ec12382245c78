/** What a checkpoint of one changed key costs: system calls, counted from outside, and time. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { beside, runChild } from '../harness/child.ts'
import type { Bound, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import type { OneKeyAssignment, OneKeyResult } from './contract.ts'
import { type Counted, countCalls } from './trace.ts'

const CHECKPOINTS = 50

export const oneKey: Suite = {
  name: 'one-key',
  about: 'a checkpoint of one changed key: system calls (strace) and time',
  async run(context) {
    // As strace shows it: a descriptor has the path without links.
    const base = realpathSync(context.folder)
    const job = (name: string): OneKeyAssignment => {
      const folder = join(base, name)
      mkdirSync(folder, { recursive: true })
      return { folder, keys: 10_000, checkpoints: CHECKPOINTS, begin: join(base, 'begin'), end: join(base, 'end') }
    }
    const worker = beside(import.meta.url, 'worker')
    const times = await runChild<OneKeyResult>(worker, job('store-timed'))
    const text = [`median of ${CHECKPOINTS} checkpoints: ${times.result.ms.toFixed(2)} ms`]
    if (!mayTrace()) {
      return {
        text,
        bounds: [],
        data: { ms: times.result.ms },
        missing: ['system calls of a checkpoint: strace (Debian package strace) is not there, or may not trace'],
      }
    }
    const output = join(context.folder, 'trace.txt')
    const traced = job('store-traced')
    await runChild<OneKeyResult>(worker, traced, { under: ['strace', '-f', '-qq', '-y', '-e', 'trace=desc,file', '-o', output] })
    const { groups, calls } = countCalls(readFileSync(output, 'utf8'), traced.folder, traced.begin, traced.end)
    const rows = Object.entries(calls).map(([name, count]) => [name, count / CHECKPOINTS])
    text.push(table(['calls on the store per checkpoint', ''], rows))
    return {
      text,
      bounds: boundsOf(groups, CHECKPOINTS),
      data: { ms: times.result.ms, calls },
    }
  },
}

/** strace is there, and can: in a container it may not be allowed to. */
export function mayTrace(env = process.env): boolean {
  const args = ['-f', '-e', 'trace=none', process.execPath, '--version']
  return spawnSync('strace', args, { stdio: 'ignore', env }).status === 0
}

/** Exactly one of each: a trace in which nothing was found says nothing of a checkpoint. */
export function boundsOf(groups: Counted['groups'], checkpoints: number): Bound[] {
  return (['append', 'sync', 'read'] as const).flatMap(group =>
    (['at least', 'at most'] as const).map(sense => ({
      name: `checkpoint of one key: ${group}s`,
      measured: groups[group] / checkpoints,
      sense,
      limit: 1,
      unit: 'calls',
      robust: true,
    })),
  )
}
