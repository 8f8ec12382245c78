/**
 * The plan of the run. The service with the engine works through the file in slices; between its slices the service without the engine
 * gets its own, under the same pace and the same load, while the other rests. Kills come at random positions of the input plus a random
 * delay, so at no particular moment of a batch or checkpoint; one of them hits again soon after the process was started. The last one comes
 * among the flights that are recent at the end, when some of them are durable: so of all that is compared there is some that survived a kill.
 */
import { setTimeout } from 'node:timers/promises'
import type { Lane } from './lane.ts'
import type { Random } from './random.ts'

export interface Kill {
  readonly position: number
  readonly delayMs: number
  /** Comes only when this position is durable. */
  readonly durable?: boolean
  /** Killed a second time, so long after its new process was spawned. */
  readonly againMs?: number
}

export interface Plan {
  /** Positions at which the service with the engine rests. The last is the end of the input. */
  readonly slices: readonly number[]
  readonly kills: readonly Kill[]
  readonly controlMs: number
}

const SLICE_MS = 5000
const SLICES_MIN = 2
/** The service without the engine is given less time than the other. */
const CONTROL_SHARE = 0.2
const DELAY_MS_MAX = 50
const AGAIN_MS_MAX = 600
/** Who asks for few checkpoints does not wait for one; on a busy machine two commits may take a while. */
const DURABLE_MS_MAX = 30_000

export interface Course {
  readonly flights: number
  /** Position of the first flight that is recent at the end. */
  readonly oldest: number
  readonly flightsPerSecond: number
  readonly kills: number
}

export function planDrill({ flights, oldest, flightsPerSecond, kills }: Course, random: Random): Plan {
  const totalMs = (flights / flightsPerSecond) * 1000
  const count = Math.max(SLICES_MIN, Math.round(totalMs / SLICE_MS))
  const positions = Array.from({ length: Math.max(kills - 1, Math.min(kills, 1)) }, () => Math.floor((0.03 + 0.94 * random()) * flights))
  const late = Math.min(flights - 1, oldest + Math.ceil((0.3 + 0.4 * random()) * (flights - oldest)))
  if (positions.length > 0) positions[0] = late
  // Not the last, at which all may be in already.
  const twice = kills > 1 ? Math.floor(random() * Math.max(1, positions.length - 1)) : -1
  return {
    slices: Array.from({ length: count }, (_, i) => Math.floor((flights * (i + 1)) / count)),
    kills: positions
      .sort((a, b) => a - b)
      .map((position, i) => ({
        position,
        delayMs: random() * DELAY_MS_MAX,
        ...(position === late ? { durable: true } : {}),
        ...(i === twice ? { againMs: random() * AGAIN_MS_MAX } : {}),
      })),
    controlMs: (totalMs / count) * CONTROL_SHARE,
  }
}

/** Resolves when the service with the engine has all flights in memory. */
export async function runDrill(plan: Plan, engine: Lane, control: Lane): Promise<void> {
  const kills = [...plan.kills]
  await Promise.all([engine.start(), control.start()])
  for (const end of plan.slices) {
    engine.feed()
    while (kills[0] !== undefined && kills[0].position < end) {
      const kill = kills.shift() as Kill
      await engine.reaches(kill.position)
      if (kill.durable) await Promise.race([engine.keeps(kill.position), setTimeout(DURABLE_MS_MAX, undefined, { ref: false })])
      await setTimeout(kill.delayMs)
      await killAndRestart(engine, kill)
    }
    await engine.reaches(end)
    await engine.pause()
    control.feed()
    await setTimeout(plan.controlMs)
    await control.pause()
  }
}

async function killAndRestart(engine: Lane, kill: Kill): Promise<void> {
  await engine.kill()
  if (kill.againMs !== undefined) {
    // It may be killed before it has answered.
    const working = engine.start('SIGKILL').then(
      () => engine.feed(),
      () => undefined,
    )
    await setTimeout(kill.againMs)
    await engine.kill()
    await working
  }
  await engine.start('SIGKILL')
  engine.feed()
}
