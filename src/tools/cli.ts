#!/usr/bin/env node
/**
 * The command line: finds the verb, prints what it gives, ends with 0 only when what was asked holds; 1: it does not, 2: it was asked wrongly.
 * Owns the exit status. Does not own: what the verbs do, how output is written (output.ts).
 */
import { createRequire } from 'node:module'
import type { TidemarkError } from 'tidemark'
import { explain } from './explain.ts'
import { importLines } from './import.ts'
import { check, diff, log, status } from './look.ts'
import { write } from './output.ts'
import { profile } from './profile.ts'
import { show } from './show.ts'
import { copy, exportLines, restore } from './transfer.ts'
import { parse, problemText, UsageError, type Verb } from './usage.ts'

const VERBS: ReadonlyMap<string, Verb> = new Map(
  Object.entries({ status, log, show, diff, explain, verify: check, profile, restore, copy, export: exportLines, import: importLines }),
)

const args = process.argv.slice(2)
const end = args.indexOf('--')
/** How an error is said, that of a command that cannot be read, too. */
const json = (end < 0 ? args : args.slice(0, end)).includes('--json')

function help(): string {
  const lines = [...VERBS.values()].map(({ usage, what }) => `  ${usage}\n      ${what}`)
  return `tidemark <verb> …\n\n${lines.join('\n')}\n  --version\n      the version of the package\n\nExit status: 0 what was asked holds, 1 it does not, 2 the command was wrong.\n`
}

/** Of the package that the verbs are of. */
function version(): string {
  return (createRequire(import.meta.url)('tidemark/package.json') as { readonly version: string }).version
}

function fail(error: unknown): number {
  process.stderr.write(problemText('error', error as TidemarkError | UsageError, json))
  return error instanceof UsageError ? error.status : 1
}

async function main(): Promise<number> {
  const [name, ...rest] = args
  try {
    if (name === 'help' || name === '--help' || name === '-h') {
      await write(help())
      return 0
    }
    if (name === '--version') {
      await write(`${version()}\n`)
      return 0
    }
    const verb = name === undefined ? undefined : VERBS.get(name)
    if (verb === undefined) {
      throw new UsageError(
        name === undefined ? 'a verb is missing' : `unknown verb '${name}'`,
        `one of ${[...VERBS.keys()].join(', ')}; see tidemark --help`,
      )
    }
    const call = parse(verb, rest)
    if (call.flags['help'] === true) {
      await write(`tidemark ${verb.usage}\n${verb.what}\n`)
      return 0
    }
    const result = await verb.run(call)
    if (result === undefined) return 0
    const output = call.flags['json'] === true ? `${JSON.stringify(result.json)}\n` : result.text.map(line => `${line}\n`).join('')
    await write(output)
    return result.ok === false ? 1 : 0
  } catch (error) {
    return fail(error)
  }
}

// Whoever reads the output may have seen enough.
process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 1 : fail(error)))
// Whoever reads no errors still wants what was asked for.
process.stderr.on('error', () => {})
process.exitCode = await main()
