/** Opens the store, or plain Maps in its place. The only file of the service that knows the engine. */
import { open } from 'tidemark'
import type { EngineFigures, ServiceSettings } from '../messages.ts'
import { plainState } from './plain-state.ts'
import type { Key, State, StateMap } from './state.ts'

export interface OpenState {
  readonly store: State
  stats(): object
  /** Undefined without an engine. */
  figures(): EngineFigures | undefined
  close(): Promise<void>
}

/** What the service wants to know of a checkpoint: the epoch that its barrier began, and how much was written. */
export interface Checkpoint {
  readonly epoch: number
  readonly bytes: number
  readonly records: number
}

export interface StateListeners {
  readonly onBarrier: (epoch: number) => void
  readonly onCheckpoint: (point: Checkpoint) => void
  readonly onProblem: (text: string) => void
}

export async function openState(settings: ServiceSettings, listeners: StateListeners): Promise<OpenState> {
  if (settings.engine === 'plain') return withoutEngine()
  const store = await open(settings.stateFolder, { checkpoint: { intervalMs: settings.checkpointIntervalMs } })
  store.on('barrier', ({ epoch }) => listeners.onBarrier(epoch))
  store.on('checkpoint', point => listeners.onCheckpoint(point))
  store.on('degraded', error => listeners.onProblem(`degraded: ${error.message}`))
  store.on('error', error => listeners.onProblem(`stopped: ${error.message}`))
  return {
    store: {
      map: <V, K extends Key>(name: string): StateMap<V, K> => store.map<V, K>(name),
      value: <V>(name: string, initial: V) => store.value<V>(name, initial),
      transaction: change => store.transaction(change),
    },
    stats: () => store.stats(),
    figures: () => {
      const { stalls, access } = store.stats()
      return { stallP99Ms: stalls.p99Ms, stallMaxMs: stalls.maxMs, accessP99Ms: access.p99Ms, accessMaxMs: access.maxMs }
    },
    close: () => store.close(),
  }
}

function withoutEngine(): OpenState {
  return { store: plainState(), stats: () => ({}), figures: () => undefined, close: async () => {} }
}
