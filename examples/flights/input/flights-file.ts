/** The original: `data/flights-3m.parquet` of vega-datasets, decoded one row group at a time. */

import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

export const FLIGHTS_FILE = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))

/** The columns of consecutive flights as the file has them. */
export interface FlightColumns {
  readonly date: readonly Date[]
  readonly delay: readonly bigint[]
  readonly distance: readonly bigint[]
  readonly origin: readonly string[]
  readonly destination: readonly string[]
}

/** The first `rowsMax` flights, in the order of the file, which is the order of time. */
export async function* readFlightsFile(rowsMax: number): AsyncGenerator<FlightColumns> {
  const file = await asyncBufferFromFile(FLIGHTS_FILE)
  const metadata = await parquetMetadataAsync(file)
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = Math.min(rowStart + Number(group.num_rows), rowsMax)
    if (rowStart >= rowEnd) return
    const columns: Record<string, unknown[]> = { date: [], delay: [], distance: [], origin: [], destination: [] }
    const groupStart = rowStart
    await parquetRead({
      file,
      metadata,
      compressors,
      rowStart,
      rowEnd,
      onChunk: ({ columnName, columnData, rowStart: chunkStart }) => {
        const column = columns[columnName]
        for (let i = 0; column !== undefined && i < columnData.length; i++) column[chunkStart - groupStart + i] = columnData[i]
      },
    })
    for (const column of Object.values(columns)) column.length = rowEnd - groupStart
    yield columns as unknown as FlightColumns
    rowStart = rowEnd
  }
}
