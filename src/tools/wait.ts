/** The door of the command line to timers. Owns no state. */
import { setTimeout } from 'node:timers/promises'

export async function wait(ms: number): Promise<void> {
  await setTimeout(ms)
}
