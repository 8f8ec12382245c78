/** The same service without an engine: plain Maps, nothing kept. What the engine costs is measured against it. */
import type { Key, State, StateMap, StateValue } from './state.ts'

class PlainMap<V, K extends Key> extends Map<K, V> implements StateMap<V, K> {
  update(key: K, change: (value: V | undefined) => V): void {
    const before = this.get(key)
    const after = change(before)
    if (after !== before) this.set(key, after)
  }
}

class PlainValue<V> implements StateValue<V> {
  #value: V

  constructor(initial: V) {
    this.#value = initial
  }

  get(): V {
    return this.#value
  }

  set(value: V): void {
    this.#value = value
  }
}

export function plainState(): State {
  return {
    map: <V, K extends Key>() => new PlainMap<V, K>(),
    value: <V>(_name: string, initial: V) => new PlainValue(initial),
    transaction: change => change(),
  }
}
