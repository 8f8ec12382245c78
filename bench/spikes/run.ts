/** Runs the processes of one shape: the engines in turn, each watched from outside, and what they leave behind compared. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beside, runChild } from '../harness/child.ts'
import { rateOf } from '../harness/control.ts'
import type { Context } from '../harness/suite.ts'
import type { CheckAssignment, CheckResult, SpikesAssignment, SpikesResult } from './contract.ts'
import { FAULTS_VARIABLE, type FaultsSetting } from './faults.ts'
import { Sampler } from './sampler.ts'

export const WINDOW_MS = 100
export const CONTROL = 'control'
export const PLAIN = 'plain'

/**
 * Seconds of the load at its own interval before what is measured: behind the warm-up's many checkpoints an engine that learns from them
 * has to see some intervals, and folds and merges find their rhythm: what they have to do for the million entries of the beginning is done.
 */
export function settling(intervalMs: number, quick: boolean): number {
  return quick ? 0.5 : (8.5 * intervalMs) / 1000
}

export type Job = Omit<SpikesAssignment, 'engine' | 'folder' | 'control'>

export interface Row extends SpikesResult {
  /** What is measured, such as 'tidemark' or 'tidemark, asked'. */
  readonly name: string
  readonly rep: number
  readonly foreignShare: number | undefined
  readonly windows: readonly number[]
  readonly segmentWindows: readonly number[]
  readonly gapMs: number
  readonly residentBytes: { readonly begin: number; readonly most: number }
  readonly check: CheckResult | undefined
}

export interface Turn {
  /** For the lines of progress. */
  readonly shape?: string
  readonly name: string
  readonly engine: string
  readonly rep: number
  readonly job: Job
  /** Compares what is left with what must be; only a store of this package can be. */
  readonly check?: boolean
  /** Does not empty the folder before, or leaves it as it is after. */
  readonly takesUp?: boolean
  readonly leaves?: boolean
  /** Rows whose turns the control repeats. */
  readonly like?: readonly Row[]
}

export async function runTurn(context: Context, { shape, name, engine, rep, job, check, takesUp, leaves, like }: Turn): Promise<Row> {
  const folder = join(context.folder, engine)
  if (takesUp !== true) rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const sampler = new Sampler(folder)
  const assignment: SpikesAssignment = { ...job, engine, folder, ...(engine === CONTROL && { control: rateOf(like ?? []) }) }
  const measured = await runChild<SpikesResult>(beside(import.meta.url, 'worker'), assignment, {
    watch: sampler.watch,
    ...(job.faults !== undefined && engine === 'tidemark' && { env: faultsIn(context.folder, job) }),
  })
  const { result, foreignShare } = measured
  const { beginMs, endMs } = result
  const row: Row = {
    ...result,
    name,
    rep,
    foreignShare,
    windows: sampler.windows('written', beginMs, endMs, WINDOW_MS),
    segmentWindows: sampler.windows('segments', beginMs, endMs, WINDOW_MS),
    gapMs: sampler.gapMs(beginMs, endMs),
    residentBytes: sampler.memory(beginMs, endMs),
    check: check === true ? await compare(folder, job, result.operations) : undefined,
  }
  if (leaves !== true) rmSync(folder, { recursive: true, force: true })
  context.progress(`${shape === undefined ? '' : `${shape}: `}${told(row)}`)
  return row
}

function told({ name, rep, perSecond, latencyMs, stallMs, check }: Row): string {
  const ms = (value: number): string => value.toFixed(2)
  const compared = check === undefined ? '' : `, ${check.entries} entries compared, ${check.differences} differ`
  const stalls = `stalls p99.9 ${ms(stallMs.p999)} max ${ms(stallMs.max)} ms`
  return `${name} #${rep + 1}: ${(perSecond / 1000).toFixed(2)}k/s, p99.9 ${ms(latencyMs.p999)} max ${ms(latencyMs.max)} ms, ${stalls}${compared}`
}

async function compare(folder: string, { load }: Job, operations: number): Promise<CheckResult> {
  const assignment: CheckAssignment = { folder, load, operations }
  return (await runChild<CheckResult>(beside(import.meta.url, 'check'), assignment)).result
}

function faultsIn(folder: string, { faults }: Job): Record<string, string> {
  const setting: FaultsSetting = { ...faults, on: join(folder, 'faults-on'), stuck: join(folder, 'faults-stuck') }
  rmSync(setting.on, { force: true })
  rmSync(setting.stuck, { force: true })
  const preload = `--import=${pathToFileURL(beside(import.meta.url, 'faults')).href}`
  return { [FAULTS_VARIABLE]: JSON.stringify(setting), NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} ${preload}`.trim() }
}
