/** The one large value: how long its encoding takes by itself, in the process that is measured. */
import type { Engine } from '../engines/index.ts'
import { median } from '../harness/stats.ts'
import type { LoadSpec } from './contract.ts'
import { GIANT_KEY, makeGiant } from './loads.ts'

const TIMES = 5

/** Leaves the engine with the value in it, durable. */
export async function weighGiant(engine: Engine, load: LoadSpec): Promise<{ encodeMs: number; bytes: number }> {
  const parts = load.kind === 'sessions' ? (load.giant?.parts ?? 0) : 0
  const giant = makeGiant(parts, 2)
  // Here, because the engine must be loaded behind the watch.
  const { defaultCodec } = await import('tidemark')
  const codec = await defaultCodec()
  let bytes = 0
  const ms: number[] = []
  for (let time = 0; time < TIMES; time++) {
    const begin = performance.now()
    bytes = codec.encode(giant).length
    ms.push(performance.now() - begin)
  }
  engine.set(GIANT_KEY, giant)
  await engine.checkpoint()
  return { encodeMs: median(ms), bytes }
}
