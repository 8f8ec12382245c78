/** Runs one measurement in a process of its own, so that none inherits the heap, the code or the noise of another. */
import { fork, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { foreignShare, readCpu } from './machine.ts'

/** A measurement that takes longer is stuck. */
const CHILD_MS_MAX = 15 * 60_000
const HEAP_MB = 12_288

export interface ChildOptions {
  /** Where the worker's heap may not grow as far, or must not be collected by hand. */
  readonly execArgv?: readonly string[]
  /** Runs the process under another program: its name and arguments, to which the worker's own command is added. */
  readonly under?: readonly string[]
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Called when the process is there; what it gives is called when the process is gone. */
  readonly watch?: (pid: number) => () => void
}

export interface Measured<T> {
  readonly result: T
  /** Share of the whole machine that other processes used meanwhile; undefined where the system does not say. */
  readonly foreignShare: number | undefined
}

/** The compiled worker beside the compiled module `url`. */
export function beside(url: string, name: string): string {
  return join(dirname(fileURLToPath(url)), `${name}.js`)
}

/** Starts `file` with `config`, and resolves with what it gives to `deliver`. */
export function runChild<T>(file: string, config: unknown, options: ChildOptions = {}): Promise<Measured<T>> {
  const nodeArgs = [`--max-old-space-size=${HEAP_MB}`, '--expose-gc', ...(options.execArgv ?? [])]
  return new Promise((resolve, reject) => {
    const before = readCpu()
    const stdio: ('ignore' | 'inherit' | 'ipc')[] = ['ignore', 'inherit', 'inherit', 'ipc']
    const env = { ...process.env, ...options.env }
    const [program, ...programArgs] = options.under ?? []
    // As JSON what is not a number would come as null, which counts as 0 in a difference and meets its bound.
    const how = { stdio, env, serialization: 'advanced' } as const
    const child =
      program === undefined
        ? fork(file, [JSON.stringify(config)], { ...how, execArgv: nodeArgs })
        : spawn(program, [...programArgs, process.execPath, ...nodeArgs, file, JSON.stringify(config)], how)
    const unwatch = child.pid === undefined ? undefined : options.watch?.(child.pid)
    let answer: { result?: T; error?: string; cpuMs: number } | undefined
    const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_MS_MAX)
    const end = () => child.kill('SIGKILL')
    // Before others remove what it writes to.
    process.prependOnceListener('exit', end)
    child.on('message', message => {
      answer = message as NonNullable<typeof answer>
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      unwatch?.()
      process.removeListener('exit', end)
      if (answer?.error !== undefined) reject(new Error(`${file}: ${answer.error}`))
      else if (answer === undefined)
        reject(new Error(`${file} ended without a result (${signal ?? code}), config ${JSON.stringify(config)}`))
      else resolve({ result: answer.result as T, foreignShare: foreignShare(before, readCpu(), answer.cpuMs) })
    })
  })
}

/** For workers: what this process was asked to do. */
export function assignment<T>(): T {
  return JSON.parse(process.argv[2] as string) as T
}

/** For workers: does the work, hands the result back and ends the process, whatever still runs in it. */
export async function deliver<T>(work: () => Promise<T>): Promise<void> {
  const send = (message: object): void => {
    const usage = process.cpuUsage()
    process.send?.({ ...message, cpuMs: (usage.user + usage.system) / 1000 }, () => process.exit(0))
  }
  // Nobody is there any more who would want the result, or could end it.
  process.once('disconnect', () => process.exit(1))
  try {
    send({ result: await work() })
  } catch (error) {
    send({ error: inspect(error) })
  }
}

export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
