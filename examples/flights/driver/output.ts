/** The standard output. Node's stream over a file takes a write for whole of which a full disk took a part, so a file is written to here. */
import { fstatSync, writeSync } from 'node:fs'

/** @throws what a file that takes no more throws; a pipe, a socket and a terminal say it by an event of `process.stdout` */
export function print(text: string): void {
  const { fd } = process.stdout
  if (!fstatSync(fd).isFile()) {
    process.stdout.write(text)
    return
  }
  let rest = Buffer.from(text)
  while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest))
}
