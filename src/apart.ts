/** What `open` of a directory does without, in one piece: loaded by the first call that needs it. */
export { profileDirectory } from './profile/index.ts'
export { copyDirectory, pointsOfDirectory, verifyDirectory } from './restore/index.ts'
export { explainDirectory } from './schedule/index.ts'
export { InlineHost } from './writer/index.ts'
