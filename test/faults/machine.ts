/** What tests of faults need from the machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { cannot } from '../support/cannot.ts'
import { temporaryFolder } from '../temporary.ts'

const MOUNT = 'mount -t tmpfs -o size=64k none "$0" && exec nsenter -t $$ -m -- true'
/** Why mounts cannot be made here, or entered; undefined where they can. To be root is not enough: a container may forbid them. */
export const NO_MOUNTS = cannot('unshare', ['-m', 'sh', '-c', MOUNT, tmpdir()])

/** Why system calls cannot be made to fail here. */
export const NO_STRACE = cannot('strace', ['-f', '-o', '/dev/null', 'true'])

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
  // One that ends, or cannot be started, never says that it is ready.
  const ended = once(holder, 'close').then(([code]) => `unshare ended with ${code}`, String)
  const said = await Promise.race([once(holder.stdout, 'data').then(String), ended])
  if (!said.includes('ready')) throw new Error(`mounting failed: ${said}`)
  return {
    folder,
    enter: ['nsenter', '-t', String(holder.pid), '-m', '--'],
    inside: (path: string) => join(`/proc/${holder.pid}/root`, path),
  }
}

/** `assertInjected`: a call failed, or lied; where none did, nothing was tested. */
export interface Failing {
  readonly wrapper: string[]
  readonly env: Record<string, string>
  assertInjected(): void
}

/** Lets one system call fail: the `when`-th of each thread, of those on `path` where one is given. One thread in the pool makes all of its calls. */
export function failing(t: TestContext, call: string, error: string, when: number | string, path?: string): Failing {
  const trace = join(temporaryFolder(t), 'trace')
  const wrapper = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-o',
    trace,
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:error=${error}:when=${when}`,
    ...(path === undefined ? [] : ['-P', path]),
  ]
  const assertInjected = (): void => {
    const said = readFileSync(trace, 'utf8')
    assert.ok(said.includes('(INJECTED)'), `no ${call} was the ${when}. of its thread:\n${said.slice(-4000)}`)
  }
  return { wrapper, env: { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }, assertInjected }
}
