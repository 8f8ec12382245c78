import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode, TidemarkError } from '../../src/base/errors.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC, LOG_HEADER_BYTES } from '../../src/format/index.ts'
import { copyStore, openForReading } from '../../src/restore/index.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import { type Files, filesOf, flipped, logFiles, storageOf, withFile } from '../support/files.ts'
import { type Block, type Epoch, Life, pseudoRandom, readAll } from '../support/log-store.ts'
import { STRIDE, share } from '../support/share.ts'

interface Made {
  readonly files: Files
  readonly epochs: readonly Epoch[]
  /** Bytes of the last log file behind each of its epochs. */
  readonly ends: readonly number[]
}

interface MakeOptions {
  readonly lives: readonly (readonly (readonly Block[])[])[]
  readonly fileBytesMax?: number
}

async function make(options: MakeOptions): Promise<Made> {
  const disk = new MemoryDisk()
  const epochs: Epoch[] = []
  let ends: number[] = []
  for (const [index, life] of options.lives.entries()) {
    const { fileBytesMax } = options
    const writer = await Life.open({
      storage: new MemoryStorage(disk),
      name: `life ${index}`,
      ...(fileBytesMax === undefined ? {} : { fileBytesMax }),
    })
    ends = []
    for (const blocks of life) {
      const { epoch, position } = await writer.mustCommit(blocks)
      epochs.push({ epoch, blocks })
      ends.push(position.bytes)
    }
    await writer.close()
  }
  return { files: await filesOf(new MemoryStorage(disk)), epochs, ends }
}

const SMALL: readonly (readonly Block[])[] = [
  [[['a', '1']], [['b', 'x'.repeat(40)]]],
  [
    [
      ['a', undefined],
      ['c', 'zz'],
    ],
  ],
]

async function outcome(files: Files): Promise<{ epochs: readonly Epoch[]; healed: number; torn: boolean } | TidemarkError> {
  try {
    const { epochs, report } = await readAll(await storageOf(files))
    return { epochs, healed: report.healed.length, torn: report.torn !== null }
  } catch (error) {
    assert.ok(error instanceof TidemarkError, String((error as Error).stack))
    return error
  }
}

/** All bits of what describes the file and its frames; of each other byte two, where the file is closed one, by turns; of padding some. */
function isTried(bytes: Buffer, bit: number, isClosed: boolean): boolean {
  const at = bit >> 3
  if (at < LOG_HEADER_BYTES) return at % 512 < 96 || bit % 59 === 0
  return at < bytes.lastIndexOf(FRAME_MAGIC, at) + FRAME_HEADER_BYTES || (bit + at) % (isClosed ? 8 : 4) === 0
}

test('a flipped bit of a log file is refused or healed, and no epoch is ever missing or wrong', async () => {
  const open = await make({ lives: [SMALL] })
  // The same file, closed by the manifest of a second life.
  const closed = await make({ lives: [SMALL, [[[['d', '4']]]]] })
  const floors = new Map([
    [open, { refused: 600, healed: 3000, torn: 200, unseen: 0 }],
    [closed, { refused: 600, healed: 2800, torn: 0, unseen: 200 }],
  ])
  for (const [{ files, epochs, ends }, floor] of floors) {
    const path = logFiles(files)[0] as string
    const bytes = files.get(path) as Buffer
    const counts = { refused: 0, healed: 0, torn: 0, unseen: 0 }
    for (let bit = 0; bit < bytes.length * 8; bit += STRIDE) {
      if (!isTried(bytes, bit, files === closed.files)) continue
      const result = await outcome(withFile(files, path, flipped(bytes, bit)))
      if (result instanceof TidemarkError) {
        assert.ok(hasCode(result, 'TIDEMARK_LOG_DAMAGED'), `bit ${bit}: ${result.message}`)
        counts.refused++
        continue
      }
      assert.deepEqual(result.epochs, epochs, `bit ${bit} of byte ${bit >> 3} changes what is read`)
      if (result.torn) {
        assert.ok(bit >> 3 >= (ends.at(-1) as number), `bit ${bit} is taken for a torn tail`)
        counts.torn++
      } else if (result.healed > 0) counts.healed++
      else {
        // Behind the end that the manifest gives nothing is read.
        assert.ok(files === closed.files && bit >> 3 >= (open.ends.at(-1) as number), `bit ${bit} is not noticed`)
        counts.unseen++
      }
    }
    for (const what of ['refused', 'healed', 'torn', 'unseen'] as const)
      assert.ok(counts[what] >= share(floor[what]), JSON.stringify(counts))
  }
})

test('cut at any length, the open file gives exactly the epochs whose commit is whole', async () => {
  const { files, epochs } = await make({ lives: [SMALL] })
  const path = logFiles(files)[0] as string
  const bytes = files.get(path) as Buffer
  let whole = 0
  // One that ends inside the header is none, wherever it does.
  for (let length = 0; length <= bytes.length; length += length < LOG_HEADER_BYTES ? 64 : 1) {
    const result = await outcome(withFile(files, path, bytes.subarray(0, length)))
    if (length < LOG_HEADER_BYTES) {
      assert.ok(hasCode(result, 'TIDEMARK_LOG_DAMAGED'))
      continue
    }
    assert.ok(!(result instanceof TidemarkError), `length ${length}: ${(result as TidemarkError).message}`)
    assert.deepEqual(result.epochs, epochs.slice(0, result.epochs.length))
    assert.ok(result.epochs.length >= whole, `length ${length} gives fewer epochs than ${length - 1}`)
    whole = result.epochs.length
  }
  assert.equal(whole, epochs.length)
})

test('a file that the manifest has closed is refused when it is cut, and healed where that is inside its last echo', async () => {
  const { files, epochs } = await make({ lives: [SMALL, SMALL] })
  const path = logFiles(files)[0] as string
  const bytes = files.get(path) as Buffer
  const end = (await openForReading(await storageOf(files))).manifest.log[0]?.end?.bytes as number
  const echo = bytes.lastIndexOf(FRAME_MAGIC, end - 1)
  for (let length = 0; length < echo; length = length === echo - 1 ? echo : Math.min(length + 7 * STRIDE, echo - 1)) {
    assert.ok(hasCode(await outcome(withFile(files, path, bytes.subarray(0, length))), 'TIDEMARK_LOG_DAMAGED'), `length ${length}`)
  }
  for (let length = echo; length <= end; length++) {
    const result = await outcome(withFile(files, path, bytes.subarray(0, length)))
    assert.deepEqual(result, { epochs, healed: length < end ? 1 : 0, torn: false }, `length ${length}`)
  }
  // A copy is made of it all the same, and goes on.
  for (const length of [echo, end - 1]) {
    const source = await storageOf(withFile(files, path, bytes.subarray(0, length)))
    const target = new MemoryStorage()
    const copied = await copyStore(source, target, pseudoRandom('copy'), () => undefined)
    assert.equal(copied.epoch, epochs.length)
    const { epochs: found, report } = await readAll(target)
    assert.deepEqual(found, epochs)
    assert.equal(report.healed.length, 1)
    const writer = await Life.open({ storage: target, name: 'of the copy' })
    await writer.mustCommit([[['e', '5']]])
    await writer.close()
    assert.equal((await readAll(target)).epochs.length, epochs.length + 1)
  }
})

test('whatever follows the last commit is a torn tail: zeros, garbage, half a frame', async () => {
  const { files, epochs } = await make({ lives: [SMALL] })
  const path = logFiles(files)[0] as string
  const bytes = files.get(path) as Buffer
  const tails = [
    Buffer.alloc(1),
    Buffer.alloc(5000),
    Buffer.alloc(700, 0xff),
    FRAME_MAGIC,
    Buffer.concat([FRAME_MAGIC, Buffer.alloc(300, 7)]),
    bytes,
  ]
  for (const tail of tails) {
    const result = await outcome(withFile(files, path, Buffer.concat([bytes, tail])))
    assert.ok(!(result instanceof TidemarkError))
    assert.deepEqual(result.epochs, epochs)
    assert.equal(result.torn, true)
  }
})

test('a log kept as a value inside the log is never taken for the log', async () => {
  const disk = new MemoryDisk()
  const writer = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  await writer.mustCommit(SMALL[0] as readonly Block[])
  const copy = (await filesOf(new MemoryStorage(disk))).get('log/00000001-00000001.log') as Buffer
  await writer.mustCommit([[['backup', copy.toString('latin1')]]])
  await writer.close()
  const files = await filesOf(new MemoryStorage(disk))
  const path = logFiles(files)[0] as string
  const bytes = files.get(path) as Buffer
  const second = writer.messages.flatMap(message => (message.type === 'committed' ? [message.position.bytes] : []))[0] as number
  // The second epoch is torn in the middle, with the copy's frames, whole, behind the hole.
  const torn = Buffer.concat([bytes.subarray(0, second), Buffer.alloc(100), copy, Buffer.alloc(10)])
  const result = await outcome(withFile(files, path, torn))
  assert.ok(!(result instanceof TidemarkError), (result as TidemarkError).message)
  assert.equal(result.epochs.length, 1)
  assert.equal(result.torn, true)
})

test('an epoch whose blocks never reached the device is torn; once anything was written behind it, it is damage', async () => {
  const { files, ends } = await make({ lives: [SMALL] })
  const path = logFiles(files)[0] as string
  const bytes = Buffer.from(files.get(path) as Buffer)
  const first = ends[0] as number
  bytes.fill(0, first + 64 + 30, first + 64 + 40)
  const withSeal = await outcome(withFile(files, path, bytes))
  assert.ok(hasCode(withSeal, 'TIDEMARK_LOG_DAMAGED'))
  const withoutSeal = bytes.subarray(0, ends[1] as number)
  const { epochs, report } = await readAll(await storageOf(withFile(files, path, withoutSeal)))
  assert.equal(epochs.length, 1)
  assert.equal(report.torn?.unsealedEpoch, 2)
})

test('a trace of the epoch after the next is damage, not a torn tail: the one between was synced before it', async () => {
  const { files, ends } = await make({ lives: [[SMALL[0], SMALL[1], SMALL[0]] as readonly (readonly Block[])[]] })
  const path = logFiles(files)[0] as string
  const bytes = Buffer.from((files.get(path) as Buffer).subarray(0, ends[2] as number))
  const second = ends[1] as number
  const frame = second - bytes.lastIndexOf(FRAME_MAGIC, second - 1)
  // Commit, echo and seal of epoch 2; behind them the blocks, the commit and the echo of epoch 3.
  bytes.fill(0, second - 2 * frame, second + 64)
  for (const damaged of [bytes, flipped(bytes, 8 * ((ends[2] as number) - 2))]) {
    const error = await outcome(withFile(files, path, damaged))
    assert.ok(error instanceof TidemarkError && error.code === 'TIDEMARK_LOG_DAMAGED', JSON.stringify(error))
    assert.equal(error.info?.['firstLostEpoch'], 2)
    assert.equal(error.info?.['lastSeenEpoch'], 3)
  }
})

test('a commit and its echo of which a header is left are damage, not a torn tail, where a header stands behind both', async () => {
  const { files, ends } = await make({ lives: [[SMALL[0], SMALL[1], SMALL[0]] as readonly (readonly Block[])[]] })
  const path = logFiles(files)[0] as string
  const [first, second, third] = ends as [number, number, number]
  const whole = files.get(path) as Buffer
  const frame = second - whole.lastIndexOf(FRAME_MAGIC, second - 1)
  const commit = second - 2 * frame
  const echo = second - frame
  const seal = second + 64
  // Behind the place of the seal the first block of epoch 3, or its header alone; and nothing at all, as where nobody was told of epoch 2.
  const block = whole.indexOf(FRAME_MAGIC, seal + FRAME_HEADER_BYTES)
  assert.ok(whole.subarray(seal).indexOf(FRAME_MAGIC) === 0 && block < third)
  const payloads = [commit + FRAME_HEADER_BYTES, echo + FRAME_HEADER_BYTES] as const
  const spoils: readonly (readonly (readonly [from: number, to: number])[])[] = [
    [
      [payloads[0], echo],
      [payloads[1], seal],
    ],
    [
      [commit, echo],
      [payloads[1], seal],
    ],
    [[payloads[0], seal]],
    // Its last block and its commit.
    [
      [first + 64 + FRAME_HEADER_BYTES, commit],
      [payloads[0], echo],
      [payloads[1], seal],
    ],
  ]
  for (const [index, spoil] of spoils.entries()) {
    const bytes = Buffer.from(whole)
    for (const [from, to] of spoil) bytes.fill(0, from, to)
    for (const end of [block, seal + FRAME_HEADER_BYTES]) {
      const error = await outcome(withFile(files, path, bytes.subarray(0, end)))
      assert.ok(error instanceof TidemarkError && error.code === 'TIDEMARK_LOG_DAMAGED', `${index}, to ${end}: ${JSON.stringify(error)}`)
      assert.equal(error.info?.['firstLostEpoch'], 2)
      assert.equal(error.info?.['lastSeenEpoch'], 2)
    }
    for (const end of [second, seal]) {
      const result = await outcome(withFile(files, path, bytes.subarray(0, end)))
      assert.ok(!(result instanceof TidemarkError), `${index}, to ${end}: ${(result as TidemarkError).message}`)
      assert.deepEqual([result.epochs.length, result.torn], [1, true])
    }
  }
})

test('damage in the middle says where it is and what is lost, and falling back gives the epochs before it', async () => {
  const life = [SMALL[0], SMALL[1], SMALL[0]] as readonly (readonly Block[])[]
  const { files, epochs } = await make({ lives: [life, life] })
  const [path] = logFiles(files) as [string, string]
  const bytes = Buffer.from(files.get(path) as Buffer)
  // A byte of the first block of epoch 2.
  const offset = bytes.indexOf(FRAME_MAGIC, LOG_HEADER_BYTES + 1)
  assert.ok(offset > 0)
  const { report: sound } = await readAll(await storageOf(files))
  assert.equal(sound.damage, null)
  const second = (await firstCommitEnd(files)) + 64
  bytes[second + 26] = (bytes[second + 26] as number) ^ 1
  const damaged = withFile(files, path, bytes)
  const error = await outcome(damaged)
  assert.ok(error instanceof TidemarkError && error.code === 'TIDEMARK_LOG_DAMAGED')
  assert.equal(error.file, path)
  assert.equal(error.info?.['offset'], second)
  assert.equal(error.info?.['firstLostEpoch'], 2)
  assert.equal(error.info?.['lastSeenEpoch'], 6)
  const { epochs: left, report } = await readAll(await storageOf(damaged), { onDamage: 'fall-back' })
  assert.deepEqual(left, epochs.slice(0, 1))
  assert.equal(report.damage?.firstLostEpoch, 2)
  assert.equal(report.damage?.lastSeenEpoch, 6)
  assert.equal(report.end.epoch, 1)
})

async function firstCommitEnd(files: Files): Promise<number> {
  const { report } = await readAll(await storageOf(files), { until: { epoch: 1 } })
  assert.equal(report.end.epoch, 1)
  return report.end.bytes
}

test('blocks and commits put together in another way are refused', async () => {
  const { files } = await make({ lives: [SMALL, SMALL] })
  const [one, two] = logFiles(files) as [string, string]
  const a = files.get(one) as Buffer
  const b = files.get(two) as Buffer
  for (const spliced of [
    withFile(withFile(files, one, b), two, a),
    withFile(files, one, b),
    withFile(files, two, a),
    withFile(files, two, Buffer.concat([b.subarray(0, LOG_HEADER_BYTES), a.subarray(LOG_HEADER_BYTES)])),
    withFile(files, one, Buffer.concat([a.subarray(0, LOG_HEADER_BYTES), b.subarray(LOG_HEADER_BYTES)])),
    new Map([...files].filter(([path]) => path !== one)),
  ]) {
    const result = await outcome(spliced)
    // Frames of another file are no frames here: an open file that holds nothing else is empty.
    if (!(result instanceof TidemarkError)) assert.equal(result.epochs.length, 2)
    else assert.equal(result.code, 'TIDEMARK_LOG_DAMAGED')
  }
})

test('until stops at an epoch, and looks at nothing beyond', async () => {
  const life = [SMALL[0], SMALL[1], SMALL[0]] as readonly (readonly Block[])[]
  const { files, epochs } = await make({ lives: [life, life] })
  for (let epoch = 0; epoch <= 6; epoch++) {
    const byEpoch = await readAll(await storageOf(files), { until: { epoch } })
    assert.deepEqual(byEpoch.epochs, epochs.slice(0, epoch))
    assert.equal(byEpoch.report.end.epoch, epoch)
  }
  const last = logFiles(files)[1] as string
  const broken = withFile(files, last, Buffer.alloc(2000))
  assert.equal((await readAll(await storageOf(broken), { until: { epoch: 3 } })).epochs.length, 3)
  const commits = await readAll(await storageOf(files), { payloads: false })
  assert.deepEqual(
    commits.epochs,
    epochs.map(({ epoch }) => ({ epoch, blocks: [] })),
  )
})

const anyBlock: fc.Arbitrary<Block> = fc.array(
  fc.tuple(fc.string({ maxLength: 6 }), fc.option(fc.string({ maxLength: 200 }), { nil: undefined })),
  {
    minLength: 1,
    maxLength: 8,
  },
)
const anyLives = fc.array(fc.array(fc.array(anyBlock, { maxLength: 4 }), { maxLength: 5 }), { minLength: 1, maxLength: 4 })

test('epochs of any blocks come back as they were, over any number of openings and files', async () => {
  await fc.assert(
    fc.asyncProperty(anyLives, fc.integer({ min: 1100, max: 4000 }), async (lives, fileBytesMax) => {
      const { files, epochs } = await make({ lives, fileBytesMax })
      const read = await readAll(await storageOf(files))
      assert.deepEqual(
        read.epochs,
        epochs.map(({ epoch, blocks }) => ({ epoch, blocks: blocks.filter(block => block.length > 0) })),
      )
      assert.equal(read.report.torn, null)
      assert.deepEqual(read.report.healed, [])
    }),
    { numRuns: share(60) },
  )
})

test('any bytes written over any place of any file never give a wrong or silently shorter result', async () => {
  const life = [SMALL[0], SMALL[1]] as readonly (readonly Block[])[]
  const { files, epochs, ends } = await make({ lives: [life, life] })
  const paths = logFiles(files)
  const place = fc.record({
    file: fc.nat(paths.length - 1),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  })
  await fc.assert(
    fc.asyncProperty(place, async ({ file, at, bytes }) => {
      const path = paths[file] as string
      const copy = Buffer.from(files.get(path) as Buffer)
      const offset = Math.floor(at * copy.length)
      copy.set(bytes.subarray(0, copy.length - offset), offset)
      const result = await outcome(withFile(files, path, copy))
      if (result instanceof TidemarkError) assert.equal(result.code, 'TIDEMARK_LOG_DAMAGED')
      else if (result.epochs.length !== epochs.length) {
        // The seal and the commit it stands for were both hit: nothing is left that tells damage from a torn tail.
        assert.ok(file === 1 && offset + bytes.length > (ends[1] as number), `${path} at ${offset}`)
        assert.deepEqual(result.epochs, epochs.slice(0, -1))
        assert.equal(result.torn, true)
      } else assert.deepEqual(result.epochs, epochs)
    }),
    { numRuns: share(1500) },
  )
})
