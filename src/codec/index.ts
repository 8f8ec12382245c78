/** Values and keys to bytes and back. */
export { absentCodec } from './absent.ts'
export type { Codec, Key, ValueCodec } from './contract.ts'
export { BIGINT_KEY_HEAD_BYTES, compareKeys, decodeKey, encodeKeyInto } from './keys.ts'
export { forgetShapes, plainTideCodec, tideCodec } from './tide.ts'
export { wrapCodec } from './user.ts'
