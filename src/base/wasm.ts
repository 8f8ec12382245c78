/** WebAssembly as this house uses it: small modules, compiled at once, that nothing depends on but the time. */

/** What it is here: the compiler's libraries know it of browsers only. */
export interface Wasm {
  readonly Module: new (code: Uint8Array) => object
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

/** What `make` makes; undefined where there is no WebAssembly (`--jitless`), it lacks what is asked for, or there is no address space for its memory. */
export function withWasm<T>(make: (wasm: Wasm) => T): T | undefined {
  const wasm = (globalThis as { readonly WebAssembly?: Wasm }).WebAssembly
  if (wasm === undefined) return undefined
  try {
    return make(wasm)
  } catch (error) {
    if (error instanceof RangeError || (error instanceof Error && error.name === 'CompileError')) return undefined
    throw error
  }
}
