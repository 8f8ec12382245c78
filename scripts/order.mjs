/** What the test command knows of single test files; a name without a file is an error of `test/gate.test.ts`. */

/** Begun first, the longest ahead, so that at the end no process waits for one of them alone. */
export const LONGEST = [
  'test/crash.test.ts',
  'test/crash-planted.test.ts',
  'test/flights.test.ts',
  'test/takeover.test.ts',
  'test/faults.test.ts',
  'test/property/store.test.ts',
  'test/property/classes.test.ts',
  'test/cli.test.ts',
  'test/larger-than-memory.test.ts',
  'test/gate.test.ts',
  'test/reader-process.test.ts',
  'test/cold-memory.test.ts',
  'test/package.test.ts',
  'test/storage-faults.test.ts',
  'test/significant.test.ts',
]

/** They judge text, or what this repository measures and tests itself with: no user runs that, on whatever Node.js. */
export const NOT_AGAIN = [
  ...['docs', 'readme', 'size', 'tidy', 'crash-planted'],
  ...['asked', 'barriers', 'bounds', 'control', 'ended', 'report', 'restart', 'small-commits', 'spikes', 'turn-watch', 'upkeep'].map(
    name => `bench-${name}`,
  ),
].map(name => `test/${name}.test.ts`)

/** Those that are named stand first, in their order; the others stay as they are. */
export function byLength(paths) {
  const named = LONGEST.filter(path => paths.includes(path))
  return [...named, ...paths.filter(path => !named.includes(path))]
}
