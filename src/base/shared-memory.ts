/**
 * Memory that threads share, for what stays: V8 counts other memory off the heap as a reason to collect the whole heap, each 64 MiB of it, and finds
 * nothing to give back as long as it is in use. Shared memory it does not count, and so does not hurry to give it back either. Owns nothing.
 */
export function sharedMemory(bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(bytes))
}

/** Nobody holds so many bytes of it any more: as much that V8 counts, and that nobody touches, makes it look for what can be given back. */
export function sharedMemoryLeft(bytes: number): void {
  if (bytes === 0) return
  try {
    new ArrayBuffer(bytes)
  } catch {
    // Where there is not so much to be had it looked already.
  }
}
