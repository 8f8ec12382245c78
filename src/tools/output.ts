/**
 * The standard output of the command line, and its door to files. Owns no state.
 * Invariant: what was given is written when it resolves, or it rejects. Node's stream over a file takes a write for whole of which a full disk took
 * a part, so a file is written to here.
 */
import { once } from 'node:events'
import { fstatSync, writeSync } from 'node:fs'
import { UsageError } from './usage.ts'

/** Characters written to the output at once. */
const CHUNK_CHARACTERS = 65_536

/** Writes some of the bytes, at least one, and says how many. */
type Write = (bytes: Uint8Array) => number

/** @throws UsageError where the output is a file that takes no more */
export async function write(text: string): Promise<void> {
  const { stdout } = process
  if (isFile(stdout)) writeAll(Buffer.from(text), bytes => writeSync(stdout.fd, bytes))
  else if (!stdout.write(text)) await once(stdout, 'drain')
}

/** In chunks: all of it may be longer than a text can be. Nothing where the first chunk cannot be made. @throws as `write` */
export async function writePieces(pieces: Iterable<string>): Promise<void> {
  let chunk = ''
  for (const piece of pieces) {
    // Two that are as long as a text can be make none together.
    if (chunk !== '' && chunk.length + piece.length >= CHUNK_CHARACTERS) {
      await write(chunk)
      chunk = ''
    }
    chunk += piece
  }
  await write(chunk)
}

/** @throws UsageError */
export function writeAll(bytes: Uint8Array, write: Write): void {
  try {
    for (let at = 0; at < bytes.length; ) at += write(bytes.subarray(at))
  } catch (error) {
    throw new UsageError(`the output is cut off: ${(error as Error).message}`, 'make room where the output goes, then run it again', 1)
  }
}

/** A pipe, a socket and a terminal say by themselves when they took all. */
function isFile({ fd, isTTY }: { readonly fd: number; readonly isTTY?: boolean }): boolean {
  if (isTTY === true) return false
  try {
    const found = fstatSync(fd)
    return !found.isFIFO() && !found.isSocket()
  } catch {
    return false
  }
}
