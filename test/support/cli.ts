/** The command line as it is published, as a process of its own over a store that other code made. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Codec, open } from 'tidemark'
import { root } from '../root.ts'

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { tidemark: string } }
/** The command, as a path. */
export const cli = join(root, bin.tidemark)
/** Whether file systems can be mounted here, for one command alone. */
export const mounts = spawnSync('unshare', ['-m', 'sh', '-c', `mount -t tmpfs -o size=1m none "${tmpdir()}"`]).status === 0
export const MANUAL = { checkpoint: { intervalMs: 0 } }

export interface Run {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export function run(args: readonly string[], input: string | Uint8Array = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  })
  return { status, out: stdout, err: stderr }
}

/** Runs commands that read no standard input, one after the other in one process. */
export function runEach(commands: readonly (readonly string[])[]): Run[] {
  const several = [join(import.meta.dirname, 'several.js'), cli, JSON.stringify(commands)]
  const { status, stdout, stderr } = spawnSync(process.execPath, several, { encoding: 'utf8' })
  const out = stdout.split('\0')
  const err = stderr.split('\0')
  assert.deepEqual([status, out.length, err.length], [0, 2 * commands.length + 1, commands.length + 1], stderr)
  return commands.map((_, at) => ({ status: Number(out[2 * at + 1]), out: out[2 * at] as string, err: err[at] as string }))
}

/** A line that import takes; the other verbs read none. */
export const LINE = '{"collection":"a","kind":"map","key":"k","value":1}\n'

/** Runs with `--json`; must end with 0. */
export function json(...args: string[]): unknown {
  const { status, out, err } = run([...args, '--json'])
  assert.equal(status, 0, err)
  return JSON.parse(out)
}

export function fails(status: number, says: RegExp, ...args: string[]): void {
  assertFailed(run(args, LINE), status, says, args)
}

/** As `fails`, for commands that read no standard input. */
export function failEach(cases: readonly (readonly [status: number, says: RegExp, ...args: string[]])[]): void {
  const results = runEach(cases.map(([, , ...args]) => args))
  for (const [at, [status, says, ...args]] of cases.entries()) assertFailed(results[at] as Run, status, says, args)
}

function assertFailed(result: Run, status: number, says: RegExp, args: readonly string[]): void {
  assert.equal(result.status, status, `${args.join(' ')}: ${result.out}${result.err}`)
  assert.match(result.err, says)
  assert.match(result.err, /^hint: ./m)
  assert.equal(result.out, '')
}

export const json1: Codec = {
  name: 'json',
  encode: value => Buffer.from(JSON.stringify(value)),
  decode: bytes => JSON.parse(String(bytes)),
}

/** Epochs 1 to 3 of a store with maps, a value, an own codec, an empty map. */
export async function make(folder: string): Promise<string> {
  const store = await open(folder, MANUAL)
  const people = store.map<unknown, string | number | bigint>('people')
  people.set('ada', { score: 1 }).set(7, 'number').set(7n, 'bigint')
  store.value('total', 0).set(1)
  store.map<unknown>('own', { codec: json1 }).set('a', { list: [1] })
  store.map('empty')
  await store.checkpoint()
  people.set('ada', { score: 2 }).set('bob', null)
  people.delete(7)
  await store.checkpoint()
  store.delete('total')
  store.map('late').set('x', 1)
  await store.checkpoint()
  await store.close()
  return folder
}
