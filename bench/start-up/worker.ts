/** Imports the package and opens an empty store, in a fresh process. */
import { assignment, deliver } from '../harness/child.ts'
import type { StartUpAssignment, StartUpResult } from './contract.ts'

const job = assignment<StartUpAssignment>()

await deliver(async (): Promise<StartUpResult> => {
  const begin = performance.now()
  const { open } = await import('tidemark')
  const importMs = performance.now() - begin
  const opening = performance.now()
  const store = await open(job.folder)
  const openMs = performance.now() - opening
  const closing = performance.now()
  await store.close()
  return { importMs, openMs, closeMs: performance.now() - closing }
})
