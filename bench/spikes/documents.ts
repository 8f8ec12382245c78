/** Documents of about 50 KB, changed in place: one line of one document at a time. */

import { makeOperations } from '../workload/operations.ts'
import { random } from '../workload/random.ts'
import type { LoadSpec } from './contract.ts'
import type { Load } from './loads.ts'

const LINES = 430
/** Filled up to this, so that a line is about 115 bytes of JSON. */
const NOTE_CHARACTERS = 60

interface Line {
  readonly sku: string
  quantity: number
  readonly price: number
  readonly note: string
}

interface Document {
  readonly id: number
  v: number
  readonly title: string
  readonly lines: readonly Line[]
}

function makeDocument(id: number): Document {
  const chance = random(id + 1)
  const lines = Array.from({ length: LINES }, (_, line) => ({
    sku: `SKU-${Math.floor(chance() * 1e6)}`,
    quantity: 0,
    price: Math.floor(chance() * 1e5) / 100,
    note: `line ${line} of ${id} ${Math.floor(chance() * 1e12).toString(36)}`.padEnd(NOTE_CHARACTERS, 'x'),
  }))
  return { id, v: 0, title: `Document number ${id}`, lines }
}

export function documents({ keys, theta }: LoadSpec & { kind: 'documents' }, operations: number): Load {
  const names = Array.from({ length: keys }, (_, at) => `document:${at}`)
  const versions = new Uint32Array(keys)
  const { keyIndex } = makeOperations({ keys, count: operations, theta, reads: 0 })
  return {
    entries: keys,
    put: (target, at) => target.set(names[at] as string, makeDocument(at)),
    make: (target, at) => {
      const index = keyIndex[at] as number
      const name = names[index] as string
      const document = target.get(name) as Document | undefined
      if (document?.id !== index || document.v !== versions[index]) throw new Error(`${name} is not what was written`)
      versions[index] = document.v + 1
      document.v++
      const line = document.lines[(Math.imul(document.v, 0x9e3779b1) >>> 0) % LINES] as Line
      line.quantity = document.v
      target.set(name, document)
    },
  }
}
