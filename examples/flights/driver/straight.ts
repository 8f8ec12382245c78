/** The straight computation in a thread, beside the unpacking: it shares nothing with it but the file. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Expected } from './verify.ts'

export async function computeStraight(flights: number, keepDays: number): Promise<Expected> {
  const thread = new Worker(new URL('./straight-thread.js', import.meta.url), { workerData: { flights, keepDays } })
  const [expected] = (await once(thread, 'message')) as [Expected]
  return expected
}
