/** What commands of the system do here. */
import { spawnSync } from 'node:child_process'

/** Why a command cannot do its work here; undefined when it can. */
export function cannot(command: string, args: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? undefined : `${command} does not work here: ${error?.message ?? (stderr.trim() || `exit status ${status}`)}`
}
