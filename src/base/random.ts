/** The one door to chance; a simulation brings its own, from a seed. */
import { randomBytes } from 'node:crypto'

export interface Random {
  /** `count` bytes that nobody can guess and nobody else gets: enough of them are an identity. */
  bytes(count: number): Buffer
}

export const systemRandom: Random = { bytes: count => randomBytes(count) }
