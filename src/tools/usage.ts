/** What a verb is given and gives back, the error of a command that was given wrongly, and how an error is said. Plain data. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { TidemarkError } from 'tidemark'

export class UsageError extends Error {
  readonly hint: string
  /** Exit status. */
  readonly status: number

  constructor(message: string, hint: string, status = 2) {
    super(message)
    this.hint = hint
    this.status = status
  }
}

export interface Call {
  readonly positionals: readonly string[]
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
}

export interface Result {
  /** For people, by lines. */
  readonly text: readonly string[]
  /** The same for programs, with `--json`. */
  readonly json: unknown
  /** Whether what was asked holds. Default true. */
  readonly ok?: boolean
}

export interface Verb {
  readonly usage: string
  readonly what: string
  readonly positionals: readonly [min: number, max: number]
  readonly options?: NonNullable<ParseArgsConfig['options']>
  /** Nothing given back: it wrote its output itself. */
  run(call: Call): Promise<Result | undefined>
}

/** Of verbs that write to a directory. */
export const LOCK_OPTION = { 'no-lock': { type: 'boolean' } } as const

export function lockOf(flags: Call['flags']): 'os' | 'none' {
  return flags['no-lock'] === true ? 'none' : 'os'
}

function read(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>) {
  return parseArgs({ args: [...args], options, allowPositionals: true, tokens: true })
}

/** @throws UsageError */
export function parse(verb: Verb, args: readonly string[]): Call {
  const options = { ...verb.options, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
  let parsed: ReturnType<typeof read>
  try {
    parsed = read(args, options)
  } catch (error) {
    throw new UsageError((error as Error).message, `usage: tidemark ${verb.usage}`)
  }
  const flags = parsed.values as Call['flags']
  // The last one would win without a word.
  const given = parsed.tokens.flatMap(token => (token.kind === 'option' && token.value !== undefined ? token.name : []))
  const twice = given.find((name, at) => given.indexOf(name) !== at)
  if (twice !== undefined) throw new UsageError(`--${twice} is given twice`, `usage: tidemark ${verb.usage}`)
  const [min, max] = verb.positionals
  const count = parsed.positionals.length
  if (flags['help'] !== true && (count < min || count > max)) {
    throw new UsageError(`${count < min ? 'too few' : 'too many'} arguments`, `usage: tidemark ${verb.usage}`)
  }
  // The first is the store's, whatever the verb.
  const [directory] = parsed.positionals
  if (flags['help'] !== true && directory !== undefined) assertDirectory(directory)
  return { positionals: parsed.positionals, flags }
}

/** @throws UsageError */
export function assertDirectory(text: string): void {
  if (text === '') throw new UsageError(`'' is no directory`, 'give the directory of a store')
  if (text === ':memory:') throw new UsageError(':memory: keeps nothing', 'give the directory of a store')
}

/** An epoch as it was typed; undefined when none was. @throws UsageError */
export function epochOf(text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined
  const epoch = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : 0
  if (epoch < 1 || !Number.isSafeInteger(epoch))
    throw new UsageError(`'${text}' is no epoch`, 'epochs are whole numbers from 1: see tidemark log')
  return epoch
}

/** Lines for people, or one of JSON under `name`. */
export function problemText(
  name: 'error' | 'degraded',
  error: Pick<TidemarkError, 'message'> & Partial<Pick<TidemarkError, 'code' | 'hint' | 'file'>>,
  json: boolean,
): string {
  const { message, code, hint, file } = error
  if (json) return `${JSON.stringify({ [name]: { code, message, hint, file } })}\n`
  return `tidemark: ${message}${code === undefined ? '' : ` (${code})`}\n${hint === undefined ? '' : `hint: ${hint}\n`}`
}
