/**
 * The control: a plain Map and, beside the load, idle turns as many and as long as those an engine took, evenly over the time. Whatever
 * its turns suffer, the machine and V8 did to them. It goes through the same doors into the event loop as an engine, and is timed the same.
 */
import type { Engine } from '../engines/index.ts'
import type { ControlRate } from './contract.ts'

/** So often it looks how many turns it owes. */
const BEAT_MS = 10

export function openControl<V>(rate: ControlRate): Engine<V> {
  const map = new Map<string, V>()
  let last = performance.now()
  let owedLong = 0
  let owedShort = 0
  const spin = (ms: number): void => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }
  const slice = (): void => {
    if (owedLong >= 1) {
      owedLong--
      spin(rate.longMs)
    } else {
      owedShort--
      spin(rate.shortMs)
    }
    if (owedLong >= 1 || owedShort >= 1) setImmediate(slice)
    else setTimeout(beat, BEAT_MS)
  }
  const beat = (): void => {
    const now = performance.now()
    // A second at most, so that it does not make up for what came before the load.
    const seconds = Math.min(1, (now - last) / 1000)
    last = now
    owedLong += seconds * rate.longPerSecond
    owedShort += seconds * rate.shortPerSecond
    if (owedLong >= 1 || owedShort >= 1) setImmediate(slice)
    else setTimeout(beat, BEAT_MS)
  }
  setTimeout(beat, BEAT_MS)
  return {
    get: key => map.get(key),
    set: (key, value) => void map.set(key, value),
    delete: key => void map.delete(key),
    checkpoint: async () => {},
    close: async () => {},
  }
}
