/** Whether a file that belongs to the program is there, told at once. Owns nothing; of a store nobody asks so. */
import { existsSync } from 'node:fs'

/** Of what is no file (`data:`, where a bundler put it into the program) it is taken for granted. */
export function isThere(url: URL): boolean {
  return url.protocol !== 'file:' || existsSync(url)
}
