/** What a store's history says about how it is written, and what could be set otherwise. */
export { profileDirectory, profileStore } from './read.ts'
export type * from './types.ts'
