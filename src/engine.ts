/** All that `open` of a directory needs, in one piece: a module more is a file more to find and to read, and code more is time more at every `open`. */
export { plainTideCodec } from './codec/index.ts'
export { openWith } from './open.ts'
