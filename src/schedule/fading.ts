/** A mean that forgets. Owns one number. Until it has seen `tauMs` it is the plain mean of what it saw. */
export class Fading {
  value = 0
  /** Time observed, up to `tauMs`. */
  knownMs = 0
  readonly #tauMs: number

  /** What is `tauMs` old counts a third (1/e). */
  constructor(tauMs: number) {
    this.#tauMs = tauMs
  }

  /** It was `value` for `ms`. */
  add(value: number, ms: number): void {
    if (!(ms > 0) || !Number.isFinite(value)) return
    const share = Math.max(1 - Math.exp(-ms / this.#tauMs), ms / (this.knownMs + ms))
    this.value += (value - this.value) * share
    this.knownMs = Math.min(this.#tauMs, this.knownMs + ms)
  }
}
