/** Every file kind as pure bytes, no I/O. */
export * from './commit.ts'
export * from './compress.ts'
export * from './frame.ts'
export * from './log-header.ts'
export * from './manifest.ts'
export * from './names.ts'
export * from './record.ts'
export * from './seal.ts'
