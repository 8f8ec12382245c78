/**
 * Builds what is published: declarations and modules by the compiler, and from the modules a few files that load fast (a hundred small
 * modules cost tens of milliseconds at every `open`).
 */
import { readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quiet, root, tool } from './setup.mjs'

/** Compiles one project; prints the errors and ends the process when there are any. */
export function compile(project) {
  const { ok, output } = quiet(process.execPath, [tool('tsc'), '-p', project])
  if (ok) return
  console.error(output)
  console.error(`the build failed (${project})`)
  process.exit(1)
}

/**
 * Puts the package into few files: the way in, the engine it loads at `open`, what it does without there, the writer's thread, the tools for tests,
 * and the command line. Of a module that two of them hold there are two: of errors there is one, for whoever asks which class they are of.
 */
export async function bundle() {
  const { build } = await import('esbuild')
  const from = name => join(root, 'src', name)
  const outdir = join(root, 'dist/bundle')
  const make = async (entryPoints, elsewhere = {}) => {
    const { metafile } = await build({
      entryPoints,
      outdir,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      // The command line is a user of the package like any other.
      external: ['tidemark'],
      plugins: [found(elsewhere)],
      chunkNames: 'chunk-[hash]',
      sourcemap: true,
      metafile: true,
      absWorkingDir: root,
      minifySyntax: true,
      minifyWhitespace: true,
      // Where nobody catches an error Node.js shows the line that threw it, and as many blanks: of a file in one line that is all that is seen.
      lineLimit: 120,
      logLevel: 'warning',
    })
    return Object.keys(metafile.outputs)
  }
  const made = [
    ...(await make(
      { index: from('index.ts'), engine: from('engine.ts'), errors: from('base/errors.ts'), testing: from('testing/index.ts') },
      { 'apart.ts': './apart.js' },
    )),
    ...(await make({ apart: from('apart.ts') }, { 'base/errors.ts': './errors.js' })),
    // A thread shares no module with anybody: what it needs is in one file, and so is what the others need.
    ...(await make({ 'thread-main': from('writer/thread-main.ts') })),
    ...(await make({ cli: from('tools/cli.ts') })),
  ]
  // Names of chunks follow their contents: those of earlier builds would be published too.
  const kept = new Set(made.map(path => resolve(root, path)))
  for (const name of readdirSync(outdir)) if (!kept.has(join(outdir, name))) rmSync(join(outdir, name), { force: true })
}

/** Modules of src that are in another file, which is imported as it is. */
function found(elsewhere) {
  const files = new Map(Object.entries(elsewhere).map(([name, path]) => [join(root, 'src', name), path]))
  return {
    name: 'found elsewhere',
    setup(build) {
      build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir, kind }) => {
        const file = kind === 'entry-point' ? undefined : files.get(resolve(resolveDir, path))
        return file === undefined ? undefined : { path: file, external: true }
      })
    },
  }
}

export async function buildPackage() {
  compile('tsconfig.build.json')
  await bundle()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPackage()
