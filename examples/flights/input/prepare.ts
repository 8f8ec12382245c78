/** Unpacks the flights file once into rows that the service can read from any position without decoding what stands before. */
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FlightColumns, readFlightsFile } from './flights-file.ts'
import { ROW_BYTES, ROWS_FILE, ROWS_HEAD_FILE, type RowsHead } from './rows.ts'

const MINUTE_MS = 60_000

/** Gives the number of flights, at most `rowsMax`; `unpacked` is told how many there are so far. */
export async function prepareRows(folder: string, rowsMax: number, unpacked: (rows: number) => void): Promise<number> {
  const places = new Map<string, number>()
  const file = await open(join(folder, ROWS_FILE), 'w')
  let rows = 0
  try {
    for await (const columns of readFlightsFile(rowsMax)) {
      await file.writeFile(packRows(columns, places))
      rows += columns.date.length
      unpacked(rows)
    }
  } finally {
    await file.close()
  }
  const head: RowsHead = { rows, airports: [...places.keys()] }
  await writeFile(join(folder, ROWS_HEAD_FILE), JSON.stringify(head))
  return rows
}

function packRows(columns: FlightColumns, places: Map<string, number>): Buffer {
  const rows = columns.date.length
  const bytes = Buffer.allocUnsafe(rows * ROW_BYTES)
  for (let row = 0, offset = 0; row < rows; row++, offset += ROW_BYTES) {
    bytes.writeUInt32LE((columns.date[row] as Date).getTime() / MINUTE_MS, offset)
    bytes.writeInt16LE(Number(columns.delay[row]), offset + 4)
    bytes.writeUInt16LE(Number(columns.distance[row]), offset + 6)
    bytes.writeUInt16LE(placeOf(columns.origin[row] as string, places), offset + 8)
    bytes.writeUInt16LE(placeOf(columns.destination[row] as string, places), offset + 10)
  }
  return bytes
}

function placeOf(airport: string, places: Map<string, number>): number {
  let place = places.get(airport)
  if (place === undefined) {
    place = places.size
    places.set(airport, place)
  }
  return place
}
