/** A bar that redraws itself on a terminal, a line every tenth elsewhere. Writes to stderr, so that stdout holds the result alone. */
const BAR_WIDTH = 30
const REDRAW_MS = 100

export class Progress {
  readonly #terminal = process.stderr.isTTY
  #stage = ''
  #tenth = -1
  #drawnMs = 0

  stage(name: string): void {
    this.#clear()
    this.#stage = name
    this.#tenth = -1
    this.#drawnMs = 0
  }

  update(share: number, detail: string): void {
    const tenth = Math.floor(share * 10)
    const nowMs = performance.now()
    if (this.#terminal ? nowMs - this.#drawnMs < REDRAW_MS && share < 1 : tenth <= this.#tenth) return
    this.#tenth = tenth
    this.#drawnMs = nowMs
    const full = Math.round(Math.min(1, share) * BAR_WIDTH)
    const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full)
    const line = `${this.#stage.padEnd(10)} ${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${detail}`
    process.stderr.write(this.#terminal ? `\r${line}\x1b[K` : `${line}\n`)
  }

  /** A line that stays. */
  say(text: string): void {
    this.#clear()
    process.stderr.write(`${text}\n`)
  }

  end(): void {
    this.#clear()
  }

  #clear(): void {
    if (this.#terminal) process.stderr.write('\r\x1b[K')
  }
}
