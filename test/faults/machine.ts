/** What tests of faults need from the machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryFolder } from '../temporary.ts'

/** Why mounts cannot be made here; undefined where they can. */
export const NO_MOUNTS =
  process.platform !== 'linux' ? 'mounts are made on Linux only' : process.getuid?.() !== 0 ? 'only root can mount' : undefined

/** Why system calls cannot be made to fail here. */
export const NO_STRACE = process.platform !== 'linux' ? 'strace is a Linux program' : undefined

/**
 * A mount namespace of its own with something mounted on a folder, for as long as the test runs: nothing of it is seen outside, and it
 * goes with its process. `enter` is put before a command to run it there; `inside` gives a path as seen from outside.
 */
export async function mounted(t: TestContext, mount: (folder: string) => string) {
  const folder = join(temporaryFolder(t), 'mounted')
  mkdirSync(folder)
  const holder = spawn('unshare', ['-m', 'sh', '-c', `${mount(folder)} && echo ready && exec sleep 600`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => void holder.kill('SIGKILL'))
  const [line] = (await once(holder.stdout, 'data')) as [Buffer]
  if (!line.toString().includes('ready')) throw new Error(`mounting failed: ${line}`)
  return {
    folder,
    enter: ['nsenter', '-t', String(holder.pid), '-m', '--'],
    inside: (path: string) => join(`/proc/${holder.pid}/root`, path),
  }
}

/** Lets one system call fail: the `when`-th of each thread, and with one thread in the pool that is the `when`-th of them all. */
export function failing(call: string, error: string, when: number | string): { wrapper: string[]; env: Record<string, string> } {
  const wrapper = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:error=${error}:when=${when}`,
  ]
  return { wrapper, env: { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' } }
}
