/** The root of the checkout, seen from a compiled test (`.build/test/x.js`). */
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
