/** The original: `data/flights-3m.parquet` of vega-datasets, decoded one row group at a time. */

import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

export const FLIGHTS_FILE = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))

/** The columns of consecutive flights as the file has them. */
export interface FlightColumns {
  readonly date: ArrayLike<Date>
  readonly delay: ArrayLike<bigint>
  readonly distance: ArrayLike<bigint>
  readonly origin: ArrayLike<string>
  readonly destination: ArrayLike<string>
}

const NAMES = ['date', 'delay', 'distance', 'origin', 'destination'] as const

/** The first `rowsMax` flights, in the order of the file, which is the order of time. */
export async function* readFlightsFile(rowsMax: number): AsyncGenerator<FlightColumns> {
  const file = await asyncBufferFromFile(FLIGHTS_FILE)
  const metadata = await parquetMetadataAsync(file)
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = Math.min(rowStart + Number(group.num_rows), rowsMax)
    if (rowStart >= rowEnd) return
    const chunks = new Map<string, Chunk[]>(NAMES.map(name => [name, []]))
    await parquetRead({
      file,
      metadata,
      compressors,
      rowStart,
      rowEnd,
      onChunk: ({ columnName, columnData, rowStart: first }) => void chunks.get(columnName)?.push({ first, data: columnData }),
    })
    const column = (name: (typeof NAMES)[number]): ArrayLike<unknown> => joined(chunks.get(name) ?? [], rowStart, rowEnd)
    yield Object.fromEntries(NAMES.map(name => [name, column(name)])) as unknown as FlightColumns
    rowStart = rowEnd
  }
}

interface Chunk {
  /** In the file. */
  readonly first: number
  readonly data: ArrayLike<unknown>
}

/** The rows from `start` up to `end`. A chunk that has just these is taken as it is: mostly there is one. */
function joined(chunks: readonly Chunk[], start: number, end: number): ArrayLike<unknown> {
  const [only] = chunks
  if (chunks.length === 1 && only?.first === start && only.data.length === end - start) return only.data
  const rows: unknown[] = []
  for (const { first, data } of chunks) {
    for (let at = Math.max(first, start); at < Math.min(first + data.length, end); at++) rows[at - start] = data[at - first]
  }
  return rows
}
