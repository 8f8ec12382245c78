/** Whose figures they are: a file outlives the run that wrote it, and looks like that of any other. */
import { spawnSync } from 'node:child_process'

export interface Origin {
  readonly date: string
  /** Null where this is no checkout. */
  readonly commit: string | null
  readonly arguments: readonly string[]
}

/** Of the run that begins now, in this checkout. */
export function originOf(root: string, args: readonly string[]): Origin {
  const git = (...how: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', ['-C', root, ...how], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return status === 0 ? stdout.trim() : undefined
  }
  const commit = git('rev-parse', 'HEAD')
  const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
  return {
    date: new Date().toISOString(),
    commit: commit === undefined ? null : `${commit}${changed ? ' and changes' : ''}`,
    arguments: args,
  }
}
