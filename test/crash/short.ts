/** One chain of lives in short, for tests. */
import { rmSync } from 'node:fs'
import { Chain, type ChainOptions } from './chain.ts'

export const SEED = 20_240_607

export async function run(
  options: Omit<ChainOptions, 'onLife'>,
): Promise<{ failures: readonly string[]; reached: number; acks: number; lives: number }> {
  let reached = 0
  let acks = 0
  let lives = 0
  const chain = new Chain({
    ...options,
    onLife: result => {
      lives++
      acks += result.acks
      if (result.end === 'failpoint') reached++
    },
  })
  try {
    return { failures: await chain.run(), reached, acks, lives }
  } finally {
    rmSync(chain.directory, { recursive: true, force: true })
  }
}
