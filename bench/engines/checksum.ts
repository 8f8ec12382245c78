import * as zlib from 'node:zlib'

const native = (zlib as { crc32?: (bytes: Buffer) => number }).crc32

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 as in zlib; Node.js has it since 20.15. */
export function checksum(bytes: Buffer): number {
  if (native !== undefined) return native(bytes)
  let crc = 0xffffffff
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
