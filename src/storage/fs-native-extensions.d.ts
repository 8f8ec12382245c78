/** The part of the addon that is used here; it brings no types of its own. */
declare module 'fs-native-extensions' {
  const addon: {
    /** True when the bytes were locked for writing, false when another open file holds them; throws system errors. */
    tryLock(fd: number, offset: number, length: number): boolean
  }
  export = addon
}
