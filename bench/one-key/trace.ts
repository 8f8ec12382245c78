/** Reads a trace of system calls (strace -f -y) and counts those that touch a folder. */

export type Group = 'append' | 'sync' | 'read' | 'look' | 'other'

const GROUPS: Readonly<Record<string, Group>> = {
  write: 'append',
  writev: 'append',
  pwrite64: 'append',
  pwritev: 'append',
  pwritev2: 'append',
  fsync: 'sync',
  fdatasync: 'sync',
  sync_file_range: 'sync',
  msync: 'sync',
  read: 'read',
  readv: 'read',
  pread64: 'read',
  preadv: 'read',
  preadv2: 'read',
  stat: 'look',
  lstat: 'look',
  fstat: 'look',
  newfstatat: 'look',
  statx: 'look',
  access: 'look',
  faccessat: 'look',
  faccessat2: 'look',
}

export interface Counted {
  /** Calls by group, then by name. */
  readonly groups: Readonly<Record<Group, number>>
  readonly calls: Readonly<Record<string, number>>
}

/** Calls between the two marks that name `folder`. */
export function countCalls(trace: string, folder: string, begin: string, end: string): Counted {
  const groups: Record<Group, number> = { append: 0, sync: 0, read: 0, look: 0, other: 0 }
  const calls: Record<string, number> = {}
  const [store, first, last] = [folder, begin, end].map(path => Buffer.from(path).toString('latin1')) as [string, string, string]
  let counting = false
  for (const escaped of trace.split('\n')) {
    const line = unescaped(escaped)
    if (line.includes(first)) counting = true
    else if (line.includes(last)) counting = false
    else if (counting && line.includes(store)) {
      // A call that another thread interrupts is shown twice; its second half begins with '<...'.
      const name = /^(?:\d+\s+)?(\w+)\(/.exec(line)?.[1]
      if (name === undefined) continue
      calls[name] = (calls[name] ?? 0) + 1
      groups[GROUPS[name] ?? 'other']++
    }
  }
  return { groups, calls }
}

const LETTERS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v' }

/** A character for each byte: strace escapes what is not ASCII, and not the same everywhere ('<' in the path of a descriptor only). */
function unescaped(line: string): string {
  return line.replace(/\\([0-7]{1,3}|.)/g, (_, code: string) =>
    /\d/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (LETTERS[code] ?? code),
  )
}
