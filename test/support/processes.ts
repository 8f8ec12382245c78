/** Processes of the system, as Linux tells them: who started which, and who is gone. */
import { existsSync, readFileSync } from 'node:fs'

/** Why a test that asks for the children of a process is not run here; false where it is. */
export const childrenUnknown = existsSync(`/proc/self/task/${process.pid}/children`)
  ? false
  : 'the system does not tell the children of a process'

export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

/** A process that is gone, or only waits to be taken note of. */
export function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
