/** A codec by name alone. */
import { TidemarkError } from '../base/errors.ts'
import type { ValueCodec } from './contract.ts'

/** Stands for a codec that was not given yet. */
export function absentCodec(name: string): ValueCodec {
  const fail = (): never => {
    throw new TidemarkError('TIDEMARK_CODEC_MISMATCH', `the codec '${name}' was not given`, { hint: `give it: store.map(name, { codec })` })
  }
  return { name, absent: true, encodeInto: fail, decode: fail }
}
