/**
 * `npm run crash`: kills the engine again and again and checks everything after each death.
 *
 *   --cycles N          lives, of which some close before they are killed (default 200)
 *   --seed S            everything but the machine's timing follows from it (default: drawn)
 *   --chain K           only the K-th chain of this seed, as printed with a failure
 *   --lives N           deaths per directory (default 25)
 *   --failpoint NAME    only kills at this point
 *   --parallel N        chains side by side (default 2)
 *   --plant NAME        a broken engine (early, drop, tear, mute), which has to be noticed
 */
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Chain } from './chain.ts'
import { Dice } from './dice.ts'
import { PLACES } from './failpoints.ts'
import { PLANTS } from './plant.ts'
import { Tally } from './tally.ts'

const { values: flags } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    seed: { type: 'string' },
    chain: { type: 'string' },
    lives: { type: 'string', default: '25' },
    failpoint: { type: 'string' },
    parallel: { type: 'string', default: '2' },
    plant: { type: 'string' },
  },
})
const seed = Number(flags.seed ?? process.pid * 1000 + (process.hrtime()[1] % 1000))
const cycles = Number(flags.cycles)
const lives = Number(flags.lives)
const plant = PLANTS.find(name => name === flags.plant)
if (flags.plant !== undefined && plant === undefined) throw new Error(`--plant is one of ${PLANTS.join(', ')}`)
if (flags.failpoint !== undefined && !PLACES.includes(flags.failpoint)) throw new Error(`--failpoint is one of ${PLACES.join(', ')}`)
for (const [name, value] of Object.entries({ seed, cycles, lives }))
  if (!Number.isSafeInteger(value)) throw new Error(`--${name} is a whole number`)

const tally = new Tally()
/** Of the chains under way. */
const directories = new Set<string>()
let failed = 0
const start = performance.now()

function seconds(): string {
  return ((performance.now() - start) / 1000).toFixed(0)
}

async function runChain(index: number, count_: number): Promise<void> {
  const chain = new Chain({
    seed: new Dice(seed, 1000 + index).next(),
    lives: count_,
    failpoints: flags.failpoint === undefined ? PLACES : [flags.failpoint],
    always: flags.failpoint !== undefined,
    ...(plant === undefined ? {} : { plant }),
    onLife: result => {
      tally.add(result)
      const { cycles: lived, acks } = tally.totals
      if (lived % 100 === 0) console.log(`${lived} cycles, ${acks} acknowledgements, ${failed} failures, ${seconds()} s`)
    },
  })
  directories.add(chain.directory)
  const failures = await chain.run().finally(() => directories.delete(chain.directory))
  if (failures.length === 0) return
  failed++
  console.log(`FAILED chain ${index}, kept in ${chain.directory}`)
  for (const failure of failures) console.log(`    ${failure}`)
  const more = `${flags.failpoint === undefined ? '' : ` --failpoint ${flags.failpoint}`}${plant === undefined ? '' : ` --plant ${plant}`}`
  console.log(`    again: npm run crash -- --seed ${seed} --chain ${index} --cycles ${count_} --lives ${count_}${more}`)
}

process.on('exit', () => {
  for (const directory of directories) removeNow(directory)
})
// An end by default would leave the processes (life.ts) and the directories behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

const chains = flags.chain === undefined ? Array.from({ length: Math.ceil(cycles / lives) }, (_, at) => at) : [Number(flags.chain)]
let next = 0
async function work(): Promise<void> {
  while (next < chains.length && failed < 5) {
    const at = next++
    await runChain(chains[at] as number, flags.chain === undefined ? Math.min(lives, cycles - at * lives) : lives)
  }
}
console.log(`seed ${seed}, ${chains.length} chains of up to ${lives} lives${plant === undefined ? '' : `, broken engine '${plant}'`}`)
await Promise.all(Array.from({ length: Number(flags.parallel) }, work))

for (const line of tally.lines(seconds())) console.log(line)
console.log(`seed ${seed}: ${failed} ${failed === 1 ? 'failure' : 'failures'}`)
const nothing = tally.nothingShown(flags.failpoint)
if (nothing !== undefined) console.log(nothing)
process.exitCode = failed > 0 || nothing !== undefined ? 1 : 0

/** On the way out a process that is being ended may still make files: Node.js 20 tries again only to remove the folder itself. */
function removeNow(folder: string): void {
  for (let tries = 0; tries < 20; tries++) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}
