/**
 * The loads: entries, and operations in a fixed order, so that another process can tell from their number alone what the state must be.
 * Owns: versions of its entries. Does not own: when operations come (serve.ts), nor where entries are kept.
 */
import type { Engine } from '../engines/index.ts'
import { makeOperations } from '../workload/operations.ts'
import { makePlayer, type Player, playerKey, playerKeys } from '../workload/players.ts'
import { random } from '../workload/random.ts'
import type { LoadSpec } from './contract.ts'
import { documents } from './documents.ts'
import { flights } from './flights-load.ts'

export type Target = Pick<Engine, 'get' | 'set' | 'delete'>

export interface Load {
  /** At the beginning. */
  readonly entries: number
  put(target: Target, at: number): void
  /** Makes operation number `at`; throws when what it reads is not what was written. */
  make(target: Target, at: number): void
  /** Behind the operations of a turn, the first of which were done before. */
  turnEnd?(target: Target, operations: number): void
  /** Knows that the first operations were made, without making them. */
  skip?(operations: number): void
  /** Of a timetable: when each operation is due, in ms from the beginning. */
  readonly due?: Float64Array
}

export const POSITION_KEY = 'position'
export const GIANT_KEY = 'giant'

/** `operations`: so many will be asked for at most. */
export function makeLoad(spec: LoadSpec, operations: number): Load {
  switch (spec.kind) {
    case 'sessions':
      return sessions(spec, operations)
    case 'ticks':
      return ticks(spec, operations)
    case 'documents':
      return documents(spec, operations)
    case 'queue':
      return queue(spec)
    case 'churn':
      return churn(spec, operations)
    case 'flights':
      return flights(spec)
  }
}

/** Sequences longer than this begin again, and only they: whoever asks for fewer operations gets the beginning of the same sequence. */
export const SEQUENCE_MAX = 1 << 22

function sessions(spec: LoadSpec & { kind: 'sessions' }, operations: number): Load {
  const { theta, reads } = spec
  const keys = playerKeys(spec.keys)
  const versions = new Uint32Array(spec.keys)
  const count = Math.min(operations, SEQUENCE_MAX)
  const { keyIndex, isRead } = makeOperations({ keys: spec.keys, count, theta, reads })
  const giants = spec.giant === undefined ? [] : [makeGiant(spec.giant.parts, 0), makeGiant(spec.giant.parts, 1)]
  const load: Load = {
    entries: spec.keys,
    put: (target, at) => target.set(keys[at] as string, makePlayer(at, 0)),
    make: (target, at) => {
      if (spec.giant !== undefined && at % spec.giant.every === spec.giant.every - 1) {
        // A new object each time, at next to no cost for the request: its parts are one of two lists in turn.
        target.set(GIANT_KEY, { ...(giants[Math.floor(at / spec.giant.every) % 2] as object) })
        return
      }
      const index = keyIndex[at % SEQUENCE_MAX] as number
      const key = keys[index] as string
      if (isRead[at % SEQUENCE_MAX] === 1) {
        const value = target.get(key) as Player | undefined
        if (value?.id !== index || value.v !== versions[index]) {
          throw new Error(`${key} holds ${JSON.stringify(value)}, not version ${versions[index]}`)
        }
        return
      }
      versions[index] = (versions[index] as number) + 1
      target.set(key, makePlayer(index, versions[index] as number))
    },
    skip: done => {
      for (let at = 0; at < done; at++) {
        const index = keyIndex[at % SEQUENCE_MAX] as number
        if (isRead[at % SEQUENCE_MAX] !== 1) versions[index] = (versions[index] as number) + 1
      }
    },
  }
  if (spec.position !== true) return load
  return { ...load, turnEnd: (target, done) => target.set(POSITION_KEY, { done }) }
}

/** About 100 bytes encoded in each part. */
export function makeGiant(parts: number, v: number): object {
  return { v, parts: Array.from({ length: parts }, (_, at) => makePlayer(at, v)) }
}

interface Entity {
  readonly id: number
  readonly v: number
  readonly x: number
  readonly y: number
  readonly hp: number
  readonly zone: string
}

function ticks({ keys, perTick, theta }: LoadSpec & { kind: 'ticks' }, operations: number): Load {
  const names = Array.from({ length: keys }, (_, at) => playerKey(at).replace('user', 'entity'))
  const versions = new Uint32Array(keys)
  const count = Math.min(operations * perTick, SEQUENCE_MAX)
  const { keyIndex } = makeOperations({ keys, count, theta, reads: 0 })
  const make = (id: number, v: number): Entity => {
    const mixed = Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(v + 1, 0x85ebca6b)
    return { id, v, x: (mixed & 0xffff) / 16, y: (mixed >>> 16) / 16, hp: (id + v) % 1000, zone: `z${mixed & 255}` }
  }
  return {
    entries: keys,
    put: (target, at) => target.set(names[at] as string, make(at, 0)),
    make: (target, at) => {
      for (let number = at * perTick; number < (at + 1) * perTick; number++) {
        const index = keyIndex[number % SEQUENCE_MAX] as number
        versions[index] = (versions[index] as number) + 1
        target.set(names[index] as string, make(index, versions[index] as number))
      }
    },
  }
}

/** In at one end, out at the other: each key is written once and deleted once. */
function queue({ keys }: LoadSpec & { kind: 'queue' }): Load {
  return {
    entries: keys,
    put: (target, at) => target.set(playerKey(at), makePlayer(at, 0)),
    make: (target, at) => {
      const turn = at >> 1
      if ((at & 1) === 0) target.set(playerKey(keys + turn), makePlayer(keys + turn, 0))
      else target.delete(playerKey(turn))
    },
  }
}

/** Random keys, of which half are there: what is there goes, what is not comes. */
function churn({ keys }: LoadSpec & { kind: 'churn' }, operations: number): Load {
  const chance = random(7)
  const order = Uint32Array.from({ length: Math.min(operations, SEQUENCE_MAX) }, () => Math.floor(chance() * keys * 2))
  const there = new Uint8Array(keys * 2).fill(1, 0, keys)
  const versions = new Uint32Array(keys * 2)
  return {
    entries: keys,
    put: (target, at) => target.set(playerKey(at), makePlayer(at, 0)),
    make: (target, at) => {
      const index = order[at % SEQUENCE_MAX] as number
      if (there[index] === 1) target.delete(playerKey(index))
      else {
        versions[index] = (versions[index] as number) + 1
        target.set(playerKey(index), makePlayer(index, versions[index] as number))
      }
      there[index] = there[index] === 1 ? 0 : 1
    },
  }
}
