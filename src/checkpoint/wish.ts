/** The wish for the next barrier. Owns what is known of it; when it falls is the checkpointer's matter. */
import type { BarrierReason } from '../schedule/index.ts'
import type { Classes } from './classes.ts'

export class Wish {
  /** One is to fall. */
  wanted = false
  /** Somebody waits who should not wait for the spreading, or it is brought forward for an RPO. */
  hurry = false
  rpoDue = false

  /** By a caller; `whole`: who waits for everything. */
  ask(whole: boolean): void {
    this.wanted = true
    this.hurry ||= whole
  }

  due(reason: BarrierReason): void {
    this.wanted = true
    this.rpoDue ||= reason === 'rpo'
    this.hurry ||= this.rpoDue
  }

  /** Nobody has it any more, nor one for everything. */
  callOff(classes: Pick<Classes, 'calledOff'>): void {
    this.grant()
    classes.calledOff()
  }

  /** It falls. */
  grant(): void {
    this.wanted = this.hurry = this.rpoDue = false
  }
}
