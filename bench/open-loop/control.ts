/**
 * The control: a plain Map and, at each checkpoint, as many slices of idle spinning as the engine takes, each as long as the engine's.
 * Whatever its slices suffer, the machine and V8 did to them.
 */
import type { Engine } from '../engines/index.ts'

/** The engine's slices end after this share of `stallMsMax`, whose default is 1 ms. */
export const SLICE_MS = 0.35

export interface ControlSlices {
  readonly slicesPerCheckpoint: number
  readonly sliceMs: number
}

export function openControl<V>({ slicesPerCheckpoint, sliceMs }: ControlSlices): Engine<V> {
  const map = new Map<string, V>()
  let left = 0
  return {
    get: key => map.get(key),
    set: (key, value) => void map.set(key, value),
    delete: key => void map.delete(key),
    checkpoint: () =>
      new Promise(resolve => {
        left += slicesPerCheckpoint
        const slice = (): void => {
          const end = performance.now() + sliceMs
          while (performance.now() < end);
          if (--left < 1) resolve()
          else setImmediate(slice)
        }
        setImmediate(slice)
      }),
    close: async () => {},
  }
}
