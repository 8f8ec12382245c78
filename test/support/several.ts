/**
 * Several commands in one process, for starting one takes a hundred times as long as what most of them do. Each is as in one of its own: the
 * command line is evaluated anew. On both outputs a zero byte ends what each of them wrote; on the standard output its exit status follows.
 */
import { pathToFileURL } from 'node:url'

const [node, , cli, commands] = process.argv as [string, string, string, string]
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)
for (const [at, args] of (JSON.parse(commands) as string[][]).entries()) {
  process.argv = [node, cli, ...args]
  process.exitCode = undefined
  await import(`${pathToFileURL(cli)}?${at}`)
  process.stdout.write(`\0${process.exitCode}\0`)
  process.stderr.write('\0')
}
process.exitCode = 0
