/**
 * One day of flights out of many: every flight of the first days of `flights-3m.parquet` (vega-datasets) at its time of day, from noon to
 * noon, so that the night is in the middle. Written once, for every process of a run to read.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const FILE = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))
const MINUTE_MS = 60_000
export const DAY_MINUTES = 1440
const NOON = DAY_MINUTES / 2

export interface Day {
  readonly airports: readonly string[]
  /** In order: minutes since noon, with a fraction. */
  readonly minute: readonly number[]
  readonly delay: readonly number[]
  readonly origin: readonly number[]
  readonly destination: readonly number[]
}

/** The flights of the first `days` days. */
export async function prepareDay(target: string, days: number): Promise<number> {
  const file = await asyncBufferFromFile(FILE)
  const metadata = await parquetMetadataAsync(file)
  const places = new Map<string, number>()
  const rows: { minute: number; delay: number; origin: number; destination: number }[] = []
  let firstDay: number | undefined
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    const columns = { date: [] as Date[], delay: [] as bigint[], origin: [] as string[], destination: [] as string[] }
    const start = rowStart
    await parquetRead({
      file,
      metadata,
      compressors,
      columns: Object.keys(columns),
      rowStart,
      rowEnd,
      onChunk: ({ columnName, columnData, rowStart: chunkStart }) => {
        const column: unknown[] | undefined = columns[columnName as keyof typeof columns]
        for (let at = 0; column !== undefined && at < columnData.length; at++) column[chunkStart - start + at] = columnData[at]
      },
    })
    for (let row = 0; row < rowEnd - rowStart; row++) {
      const minutes = (columns.date[row] as Date).getTime() / MINUTE_MS
      const day = Math.floor(minutes / DAY_MINUTES)
      firstDay ??= day
      if (day - firstDay >= days) return write(target, rows, places)
      // Minutes are all the file has: those of one minute are spread over it.
      const minute = ((minutes % DAY_MINUTES) + NOON) % DAY_MINUTES
      rows.push({
        minute: minute + ((row * 7919) % 1000) / 1000,
        delay: Number(columns.delay[row]),
        origin: placeOf(columns.origin[row] as string, places),
        destination: placeOf(columns.destination[row] as string, places),
      })
    }
    rowStart = rowEnd
  }
  return write(target, rows, places)
}

function placeOf(airport: string, places: Map<string, number>): number {
  const place = places.get(airport) ?? places.size
  places.set(airport, place)
  return place
}

function write(
  target: string,
  rows: { minute: number; delay: number; origin: number; destination: number }[],
  places: Map<string, number>,
): number {
  rows.sort((a, b) => a.minute - b.minute)
  const day: Day = {
    airports: [...places.keys()],
    minute: rows.map(row => row.minute),
    delay: rows.map(row => row.delay),
    origin: rows.map(row => row.origin),
    destination: rows.map(row => row.destination),
  }
  writeFileSync(target, JSON.stringify(day))
  return rows.length
}

export function readDay(file: string): Day {
  return JSON.parse(readFileSync(file, 'utf8')) as Day
}

/** The twelve hours with the fewest flights: for each hour since noon whether it is one of them. */
export function quietHours(day: Day): boolean[] {
  const counts = new Array<number>(24).fill(0)
  for (const minute of day.minute) counts[Math.floor(minute / 60)] = (counts[Math.floor(minute / 60)] as number) + 1
  const order = counts.map((_, hour) => hour).sort((a, b) => (counts[a] as number) - (counts[b] as number))
  const quiet = new Set(order.slice(0, 12))
  return counts.map((_, hour) => quiet.has(hour))
}
