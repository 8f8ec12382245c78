/** What the test command knows of single test files; a name without a file is an error of `test/gate.test.ts`. */

/** Begun first, the longest ahead, so that at the end no process waits for one of them alone. */
export const LONGEST = [
  'test/crash.test.ts',
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

/** They read files of the repository, and nothing runs in them that another Node.js could do otherwise. */
export const TEXT_ALONE = ['test/docs.test.ts', 'test/readme.test.ts', 'test/size.test.ts', 'test/tidy.test.ts']

/** Those that are named stand first, in their order; the others stay as they are. */
export function byLength(paths) {
  const named = LONGEST.filter(path => paths.includes(path))
  return [...named, ...paths.filter(path => !named.includes(path))]
}
