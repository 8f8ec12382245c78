/**
 * The rules of RFC 0001 and of the house, as functions over the path and the text of a file, so that each can be shown a planted
 * violation (tidy.test.ts). Owns no state; reads no files.
 */
import { posix } from 'node:path'

/** What must be reached through one file only, so that a simulation can take its place. The door is a pattern over paths. */
export const DOORS: readonly { what: string; code?: RegExp; modules?: RegExp; door: RegExp; reason: string }[] = [
  {
    what: 'the time of day and elapsed time',
    code: /\bDate\.now\b|\bperformance\.now\b|\bprocess\.hrtime\b|\bnew Date\(\s*\)/,
    modules: /^(node:)?perf_hooks$/,
    door: /^src\/base\/clock\.ts$/,
    reason: 'simulated time: no test of ours waits for a clock',
  },
  {
    what: 'chance',
    code: /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\brandomInt\b|\bgetRandomValues\b/,
    door: /^src\/(base\/random|storage\/file(-[a-z-]+)?)\.ts$/,
    reason: 'a simulation is replayed from its seed; names of temporary files are not part of one',
  },
  {
    what: 'files',
    modules: /^(node:)?fs(\/promises)?$/,
    door: /^src\/(storage\/(file|lock)(-[a-z-]+)?|tools\/output)\.ts$/,
    reason:
      'the storage contract says what is durable when; faults are injected there; the standard output of a command is no part of a store',
  },
  {
    what: 'the event loop',
    code: /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b|\bprocess\.nextTick\b/,
    modules: /^(node:)?timers(\/promises)?$/,
    door: /^src\/(base\/scheduler|testing\/simulated-scheduler|tools\/wait)\.ts$/,
    reason:
      'every turn the engine takes is counted against the stall budget, and replayed in simulation; that one lets promises settle; a command waits in a process of its own',
  },
  {
    what: 'threads',
    modules: /^(node:)?worker_threads$/,
    door: /^src\/writer\/thread(-[a-z-]+)?\.ts$/,
    reason: 'the writer runs the same with and without a thread',
  },
]

/** Ranks of the folders of src, lowest first; a file imports lower ranks and its own folder. */
export const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  codec: 1,
  storage: 1,
  format: 2,
  pace: 2,
  capture: 3,
  manifest: 3,
  log: 3,
  segment: 3,
  image: 4,
  schedule: 4,
  fold: 5,
  cold: 5,
  writer: 6,
  restore: 6,
  checkpoint: 7,
  profile: 7,
  face: 8,
  testing: 9,
  tools: 9,
}

/** The files at the top of src, lowest first: each imports those before it and every folder but testing and tools. */
export const TOP: readonly string[] = ['settings.ts', 'options.ts', 'store.ts', 'apart.ts', 'open.ts', 'engine.ts', 'index.ts']

export const LINES_MAX = 400

/** Files outside src that see only what a user of the package sees. */
const OUTSIDE = /^(examples|bench|tools|src\/tools)\//

export const isTest = (path: string): boolean => /\.test(-d)?\.ts$/.test(path)
const isEngine = (path: string): boolean => path.startsWith('src/') && path.endsWith('.ts') && !isTest(path)
const isCode = (path: string): boolean => path.endsWith('.ts') || path.endsWith('.mjs')

/** Blanks comments, and on request the contents of strings and regular expressions, keeping every line where it was. */
export function blank(text: string, strings: boolean): string {
  let out = ''
  let at = 0
  /** For each open template: how many braces are open inside its `${`. */
  const templates: number[] = []
  const wipe = (part: string): string => part.replace(/[^\n]/g, ' ')
  const take = (end: number, hide: boolean): void => {
    out += hide ? wipe(text.slice(at, end)) : text.slice(at, end)
    at = end
  }
  const quoted = (quote: string): void => {
    take(at + 1, false)
    let end = at
    while (end < text.length && text[end] !== quote && !(quote === '`' && text.startsWith('${', end))) end += text[end] === '\\' ? 2 : 1
    take(Math.min(end, text.length), strings)
    if (text[at] === '$') {
      take(at + 2, false)
      templates.push(0)
    } else take(at + 1, false)
  }
  while (at < text.length) {
    const two = text.slice(at, at + 2)
    const one = text[at] as string
    const open = templates.length - 1
    if (two === '//') take(endOf(text, '\n', at), true)
    else if (two === '/*') take(Math.min(text.length, endOf(text, '*/', at + 2) + 2), true)
    else if (one === "'" || one === '"' || one === '`') quoted(one)
    else if (one === '/' && /(^|[(,=:[!&|?{};>+\n]|\breturn|\bcase)\s*$/.test(out.slice(-40))) {
      const end = /^\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/.exec(text.slice(at))
      take(at + (end ? end[0].length : 1), strings && end !== null)
    } else if (open >= 0 && one === '{') {
      templates[open] = (templates[open] as number) + 1
      take(at + 1, false)
    } else if (open >= 0 && one === '}') {
      if (templates[open] === 0) {
        templates.pop()
        quoted('`')
      } else {
        templates[open] = (templates[open] as number) - 1
        take(at + 1, false)
      }
    } else take(at + 1, false)
  }
  return out
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at === -1 ? text.length : at
}

export interface Import {
  readonly name: string
  /** Erased by the compiler. */
  readonly type: boolean
}

/** Everything a file imports or re-exports, static and dynamic. */
export function importsOf(text: string): Import[] {
  const code = blank(text, false)
  const bare = blank(text, true)
  const found: Import[] = []
  const collect = (pattern: RegExp, name: number, type?: number): void => {
    for (const match of code.matchAll(pattern)) {
      // The word itself stands in a string, as in a test about imports.
      if (bare.slice(match.index, match.index + match[0].length).trimStart()[0] !== match[0].trimStart()[0]) continue
      found.push({ name: match[name] as string, type: type !== undefined && match[type] !== undefined })
    }
  }
  collect(/^\s*(?:import|export)\b(\s+type\b(?!\s+from))?[^'"`;=()]*?\bfrom\s*['"]([^'"]+)['"]/gm, 2, 1)
  collect(/^\s*import\s*['"]([^'"]+)['"]/gm, 1)
  collect(/(\btypeof\s+)?\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g, 2, 1)
  return found
}

const isRelative = (name: string): boolean => name.startsWith('.')
const resolve = (path: string, name: string): string => posix.join(posix.dirname(path), name)

/** Where a path stands in the house: its rank, its folder ('' at the top of src), or what is wrong with it. */
function place(path: string): { folder: string; rank: number } | string {
  const [, folder, ...rest] = path.split('/') as [string, string, ...string[]]
  if (rest.length > 0) {
    const rank = RANKS[folder]
    return rank === undefined ? `src/${folder} has no rank` : { folder, rank }
  }
  const order = TOP.indexOf(folder)
  // A type test or a test at the top stands beside what it tests.
  if (order === -1 && !isTest(path)) return `${path} is not one of the files at the top (${TOP.join(', ')})`
  return { folder: '', rank: 10 + (order === -1 ? TOP.length : order) }
}

export function layers(path: string, text: string): string[] {
  const problems: string[] = []
  if (OUTSIDE.test(path)) {
    const home = path
      .split('/')
      .slice(0, path.startsWith('src/') || path.startsWith('examples/') ? 2 : 1)
      .join('/')
    for (const { name } of importsOf(text)) {
      if (isRelative(name) && !resolve(path, name).startsWith(`${home}/`)) problems.push(`imports ${name}: only 'tidemark' is open to it`)
      if (/^tidemark\//.test(name) && name !== 'tidemark/testing') problems.push(`imports ${name}, which is not exported`)
    }
    return problems
  }
  if (!path.startsWith('src/')) return problems
  const from = place(path)
  if (typeof from === 'string') return [from]
  for (const { name } of importsOf(text)) {
    if (name === 'tidemark' || name.startsWith('tidemark/')) problems.push(`imports its own package by name (${name})`)
    if (!isRelative(name)) continue
    const target = resolve(path, name)
    if (isTest(path) && /^(test\/type-assert\.ts|test\/support\/(attempt|loop|manifest)\.ts|src\/testing\/index\.ts)$/.test(target))
      continue
    if (!target.startsWith('src/')) problems.push(`imports ${name}, outside src`)
    const to = place(target)
    if (typeof to === 'string') problems.push(`imports ${name}: ${to}`)
    else if (to.folder !== '' && to.folder === from.folder) continue
    else if (to.folder === 'testing' || to.folder === 'tools') problems.push(`imports ${name}: only tests and users import that`)
    else if (to.rank >= from.rank) problems.push(`imports ${name}, rank ${to.rank}, from rank ${from.rank}`)
    else if (to.rank > 0 && to.folder !== '' && !target.endsWith(`src/${to.folder}/index.ts`))
      problems.push(`imports ${name} past ${to.folder}/index.ts`)
  }
  return problems
}

export function relativeImportsEndInTs(path: string, text: string): string[] {
  if (!path.endsWith('.ts')) return []
  return importsOf(text)
    .filter(({ name }) => isRelative(name) && !name.endsWith('.ts'))
    .map(({ name }) => `imports ${name}, which does not end in .ts`)
}

export function onlyDeclaredPackages(path: string, text: string, dependencies: readonly string[]): string[] {
  if (!isEngine(path)) return []
  return importsOf(text)
    .filter(({ name }) => !isRelative(name) && !name.startsWith('node:') && name !== 'tidemark')
    .map(({ name }) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
    .filter(name => !dependencies.includes(name))
    .map(name => `imports ${name}, which is no dependency of the package`)
}

export function doors(path: string, text: string): string[] {
  if (!isEngine(path)) return []
  const code = blank(text, true)
  const names = importsOf(text).map(({ name }) => name)
  const problems: string[] = []
  for (const { what, code: pattern, modules, door, reason } of DOORS) {
    if (door.test(path)) continue
    const hits = [pattern?.exec(code)?.[0], modules && names.find(name => modules.test(name))].filter(hit => hit !== undefined)
    for (const hit of hits) problems.push(`uses ${hit}: ${what} only through ${door.source} (${reason})`)
  }
  return problems
}

export function length(path: string, text: string): string[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return path.endsWith('.ts') && lines > LINES_MAX ? [`${lines} lines, more than ${LINES_MAX}: split it by owner of state`] : []
}

export function noDefaultExport(path: string, text: string): string[] {
  const found = /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/.test(blank(text, true))
  return path.startsWith('src/') && !path.endsWith('.d.ts') && found ? ['has a default export'] : []
}

export function noAny(path: string, text: string): string[] {
  if (!path.endsWith('.ts')) return []
  return /(?<![.\w$'])any\b(?!\s*\()/.test(blank(text, true)) ? ["uses 'any': say 'unknown' and look, or give the type"] : []
}

export function noUnfinished(_path: string, text: string): string[] {
  const found = /\b(?:TO[D]O|FIX[M]E|XX[X])\b/.exec(text)
  return found ? [`has a ${found[0]}: finish it or write it down in an RFC`] : []
}

/** Neither a test left out without a condition, nor one that leaves out all others. */
export function noSkippedTests(path: string, text: string): string[] {
  if (!isTest(path)) return []
  const found =
    /\b(?:test|it|describe|suite)\.(?:skip|only|todo)\b|\b(?:only|todo):|\bskip:\s*(?:true|(['"`])[^'"`]*\1)\s*[,}]|\.todo\(/.exec(
      blank(text, true),
    )
  return found ? [`leaves tests out: ${found[0]}`] : []
}

export function noPlaces(path: string, text: string): string[] {
  const found =
    /(?<![\w.$~*-])\/(?:work|root|home|Users)\/[\w.]|[A-Z]:\\Users\b|\bregistry\.[\w.-]+\.(?:org|com|net|io|dev)\b|\bnpmmirror\b|"resolved": "[h]ttp/.exec(
      text,
    )
  return found
    ? [`names a machine's path or a registry: ${found[0]}`]
    : path === '.npmrc' && /^registry\s*=/m.test(text)
      ? ['sets a registry']
      : []
}

/** Circles of imports that exist at run time; imports of types are erased and bring none to life. */
export function cycles(files: ReadonlyMap<string, string>): string[] {
  const targets = new Map<string, string[]>()
  for (const [path, text] of files) {
    if (!isCode(path)) continue
    const names = importsOf(text).filter(({ name, type }) => isRelative(name) && !type)
    targets.set(
      path,
      names.map(({ name }) => resolve(path, name)).filter(target => files.has(target)),
    )
  }
  const problems: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) problems.push(`imports go in a circle: ${[...trail.slice(start), path].join(' -> ')}`)
    if (start >= 0 || done.has(path)) return
    for (const target of targets.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of targets.keys()) walk(path, [])
  return problems
}
