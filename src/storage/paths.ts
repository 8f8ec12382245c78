/** What a path inside a storage may look like. Manifests name files, so a path is checked before it reaches the system. */
import { TidemarkError } from '../base/errors.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/

/** Refuses anything that is not plain names joined by '/': absolute paths, '..', hidden and temporary names, odd characters. */
export function checkPath(path: string): string {
  if (typeof path === 'string' && path.split('/').every(name => NAME.test(name))) return path
  throw new TidemarkError('TIDEMARK_ARGUMENT', `not a path inside a store: ${JSON.stringify(path)}`, {
    hint: 'names of letters, digits, ".", "_" and "-", joined by "/"',
  })
}

/** Like checkPath, with '' for the root. */
export function checkFolder(folder: string): string {
  return folder === '' ? folder : checkPath(folder)
}

/** The folder a path is in. */
export function folderOf(path: string): string {
  const cut = path.lastIndexOf('/')
  return cut < 0 ? '' : path.slice(0, cut)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Temporary files are `.tmp-<16 hex>-<final name>`: no path the contract accepts can name one, and `list` hides them. */
const TEMPORARY = /^\.tmp-([0-9a-f]{16})-[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/

export function temporaryName(nonce: string, finalName: string): string {
  return `.tmp-${nonce}-${finalName}`
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Names in byte order, so that every storage lists alike. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
