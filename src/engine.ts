/** All that the functions of the package need, in one piece: a module more is a file more to find and to read at every `open`. */
export { plainTideCodec } from './codec/index.ts'
export { openStore } from './open.ts'
export { profileDirectory } from './profile/index.ts'
export { copyDirectory, verifyDirectory } from './restore/index.ts'
export { explainDirectory } from './schedule/index.ts'
