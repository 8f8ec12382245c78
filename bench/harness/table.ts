/** Plain text tables: the first column to the left, all others to the right. */
export type Cell = string | number | undefined

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const text = [head, ...rows.map(row => head.map((_, column) => show(row[column])))]
  const widths = head.map((_, column) => Math.max(...text.map(row => (row[column] as string).length)))
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number))).join('  ')
  const [first, ...rest] = text.map(line)
  return [first, widths.map(width => '-'.repeat(width)).join('  '), ...rest].join('\n')
}

function show(cell: Cell): string {
  if (cell === undefined) return '-'
  if (typeof cell === 'string') return cell
  if (!Number.isFinite(cell)) return '-'
  const size = Math.abs(cell)
  return cell.toFixed(size >= 100 || Number.isInteger(cell) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}
