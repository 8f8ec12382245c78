/**
 * What happens to the cold entries of a collection while it is being iterated: a list of changes that each open walk reads at its own pace.
 *
 * Owns: the newest link of the list, how many walks are open. Does not own: what a walk makes of it (cold-walk.ts).
 * Invariants: changes are listed only while a walk is open, but for what transactions do (returns.ts); nobody but a walk holds older links, so those
 * that every walk has read are garbage. A loop that was left says nothing (as with a Map it could be taken up again): its walk is open until it
 * is collected. That is heard of by a registry, because a weak reference that is asked in each turn keeps what it refers to.
 */
import type { Key } from '../codec/index.ts'

/**
 * 'came': a cold entry became live. 'left': a live entry became cold. 'deleted': an entry, cold or live, is gone. 'back': a rollback put one back,
 * which is told to watches of its own (returns.ts).
 */
export type Change = 'came' | 'left' | 'deleted' | 'back'

export interface Link {
  readonly change: Change
  readonly key: Key
  next: Link | undefined
}

const collected = new FinalizationRegistry<Watch>(watch => {
  watch.open--
})

export class Watch {
  open = 0
  newest: Link = { change: 'deleted', key: 0, next: undefined }

  begin(walk: object): void {
    this.open++
    collected.register(walk, this, walk)
  }

  end(walk: object): void {
    collected.unregister(walk)
    this.open--
  }

  tell(change: Change, key: Key): void {
    const link: Link = { change, key, next: undefined }
    this.newest.next = link
    this.newest = link
  }
}
