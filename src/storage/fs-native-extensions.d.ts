/** The part of the addon that is used here; it brings no types of its own. */
declare module 'fs-native-extensions' {
  const addon: {
    /** True when the bytes were locked for writing, false when another open file holds them; throws system errors. */
    tryLock(fd: number, offset: number, length: number): boolean
  }
  // biome-ignore lint/style/noDefaultExport: the addon is CommonJS, so this is what import gives.
  export default addon
}
