/**
 * The process that is killed: opens the store, reports what it found, and works until its end comes.
 *
 * It tells the parent on descriptor 3, with a synchronous write before it goes on:
 *   open <epoch> <counter> <digest>     what was restored
 *   issue <counter>                     operations up to this one are about to be carried out
 *   barrier <epoch> <counter>           a cut fell here
 *   ack <epoch>                         the epoch was acknowledged as durable
 *   durable <counter>                   everything up to this operation was acknowledged as durable
 *   event <name> <message>              something that should not happen in this test
 */
import { writeSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Dice } from './dice.ts'
import { digestOf } from './model.ts'
import { openFailing } from './open-failing.ts'
import { type Plant, plantIn } from './plant.ts'
import { operate } from './workload.ts'
import { worldOf } from './world.ts'

export interface ChildPlan {
  readonly directory: string
  /** Of the workload: the same for all lives of a directory. */
  readonly seed: number
  /** Of this life's pace. */
  readonly lifeSeed: number
  readonly intervalMs: number
  readonly compression: 'zstd' | 'deflate' | 'none'
  readonly lock: 'os' | 'none'
  /** Now and then so many operations in one turn. */
  readonly burst?: number
  /** Rests so long now and then, for what the engine does when it has nothing to do. */
  readonly restMs?: number
  /** Closes by itself after this many ms. */
  readonly closeAfterMs?: number
  readonly plant?: Plant
}

const LIFE_MS_MAX = 30_000
const plan = JSON.parse(process.argv[2] ?? '') as ChildPlan
const { directory, seed, intervalMs, compression, lock, plant } = plan
const tell = (line: string): void => {
  if (plant !== 'mute' || !/^(ack|durable) /.test(line)) writeSync(3, `${line}\n`)
}
const dice = new Dice(plan.lifeSeed, 7)
const store = await openFailing(directory, { checkpoint: { intervalMs }, compression, lock })
const world = plantIn(worldOf(store), plant)
let counter = world.counter.get()
let closing = false
tell(`open ${store.restored.epoch} ${counter} ${digestOf(world)}`)

store.on('degraded', error => tell(`event degraded ${error.message}`))
store.on('error', error => tell(`event error ${error.message}`))
store.on('refused', refusal => tell(`event refused ${refusal.collection} ${refusal.reason}`))
store.on('barrier', ({ epoch }) => {
  tell(`barrier ${epoch} ${counter}`)
  if (plant === 'early') tell(`ack ${epoch}`)
})
store.on('checkpoint', ({ epoch }) => tell(`ack ${epoch}`))

function work(): void {
  const burst = plan.burst !== undefined && dice.oneIn(3) ? plan.burst : 0
  const count = burst + (dice.oneIn(5) ? dice.between(10, 40) : dice.between(1, 6))
  tell(`issue ${counter + count}`)
  for (let at = 0; at < count; at++) {
    const n = counter + 1
    if (dice.oneIn(15)) takeBack(n)
    store.transaction(() => operate(world, seed, n))
    counter = n
  }
}

/** Does an operation and undoes it, by throwing. */
function takeBack(n: number): void {
  const stop = new Error('taken back on purpose')
  try {
    store.transaction(() => {
      operate(world, seed, n)
      throw stop
    })
  } catch (error) {
    if (error !== stop) throw error
  }
}

/** A transfer that is no transaction: half of it in one turn, half in another. */
async function tear(): Promise<void> {
  const move = (amount: number) => world.accounts.update('a0', account => void (account.balance += amount))
  move(-1)
  await setTimeout(dice.between(1, 10))
  move(1)
}

let asking = 0
async function ask(): Promise<void> {
  const before = counter
  asking++
  try {
    if (dice.oneIn(3)) await store.durable()
    else tell(`ack ${(await store.checkpoint()).epoch}`)
    tell(`durable ${before}`)
  } catch (error) {
    if (!closing) tell(`event rejected ${String(error)}`)
  }
  asking--
}

const ends = performance.now() + (plan.closeAfterMs ?? LIFE_MS_MAX)
while (performance.now() < ends) {
  work()
  if (plant === 'tear') await tear()
  if (intervalMs === 0 ? asking < 2 && dice.oneIn(3) : dice.oneIn(25)) void ask()
  if (plan.restMs !== undefined && dice.oneIn(6)) await setTimeout(plan.restMs)
  await (dice.oneIn(3) ? setTimeout(dice.below(6)) : setImmediate())
}
if (plan.closeAfterMs === undefined) throw new Error('nobody killed this process')
closing = true
await store.close()
tell(`durable ${counter}`)
