/** What a process wrote to files so far, as the system counts it; undefined where it does not. */
import { readFileSync } from 'node:fs'

/**
 * Bytes. Of the system's two counts the smaller: `write_bytes` charges a whole large folio for one dirty page, `wchar` counts sockets and
 * not what goes through mapped memory.
 */
export function bytesWritten(process: number | 'self' = 'self'): number | undefined {
  try {
    const text = readFileSync(`/proc/${process}/io`, 'utf8')
    const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1])
    const [written, given] = [count('write_bytes'), count('wchar')]
    return written < given ? written : given
  } catch {
    return undefined
  }
}
