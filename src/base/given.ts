/** Objects that callers give: settings and options. Owns nothing. */

/** Neither a list nor something else with a purpose of its own, a Map or a Date: its properties are what it says. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const kind = kindOf(value)
  return kind === ' (Object)' || kind === ' (Module)'
}

/** Those that show, whoever it has them from; not what somebody gave to every object there is. */
export function namesIn(value: object): string[] {
  const names: string[] = []
  for (const name in value) if (Object.hasOwn(value, name) || !(name in Object.prototype)) names.push(name)
  return names
}

/** The value of that name, whoever it has it from; not what somebody gave to every object there is. */
export function valueIn(value: object, name: string): unknown {
  return Object.hasOwn(value, name) || !(name in Object.prototype) ? Reflect.get(value, name) : undefined
}

/** For a message: what was given instead. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'object') return `an object${kindOf(value)}`
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}

/** Asking runs code of the object's, if it has a tag of its own or is a proxy, which may throw: the call is refused for something else. */
function kindOf(value: object): string {
  try {
    return ` (${Object.prototype.toString.call(value).slice(8, -1)})`
  } catch {
    return ''
  }
}

/** Refuses what is no plain object, or has an option that is not known: it would count as left out. Gives those that it has, each read once. */
export function optionsIn(
  options: unknown,
  known: readonly string[],
  refuse: (what: string, hint: string) => never,
): Record<string, unknown> {
  if (!isPlain(options))
    refuse(`the options are an object, not ${describe(options)}`, `leave them out, or give ${known.join(', ')} in an object`)
  for (const option of namesIn(options as object)) {
    if (!known.includes(option)) refuse(`there is no option '${option}'`, `known are ${known.join(', ')}`)
  }
  const taken: Record<string, unknown> = Object.create(null)
  for (const option of known) taken[option] = valueIn(options as object, option)
  return taken
}
