/** Names of files in a store: numbers as hex digits, so that byte order is the order of numbers. */
export const LOG_FOLDER = 'log'
export const MANIFEST_FOLDER = 'manifest'
export const SEGMENT_FOLDER = 'segment'
export const SCHEDULE_FOLDER = 'schedule'

export function manifestName(number: number): string {
  return `${MANIFEST_FOLDER}/${hex(number)}.manifest`
}

/** The number in the name of a file of the manifest folder; undefined for other files. */
export function manifestNumber(name: string): number | undefined {
  const digits = /^([0-9a-f]{8})\.manifest$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}

export function segmentName(token: number, sequence: number): string {
  return `${SEGMENT_FOLDER}/${hex(token)}-${hex(sequence)}.seg`
}

/** Token and sequence in the name of a file of the segment folder; undefined for other files. */
export function segmentNumbers(name: string): { readonly token: number; readonly sequence: number } | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{8})\.seg$/.exec(name)
  return match === null ? undefined : { token: Number.parseInt(match[1] as string, 16), sequence: Number.parseInt(match[2] as string, 16) }
}

export function scheduleName(number: number): string {
  return `${SCHEDULE_FOLDER}/${hex(number)}.schedule`
}

/** The number in the name of a file of the schedule folder; undefined for other files. */
export function scheduleNumber(name: string): number | undefined {
  const digits = /^([0-9a-f]{8})\.schedule$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}

export function logName(token: number, sequence: number): string {
  return `${LOG_FOLDER}/${hex(token)}-${hex(sequence)}.log`
}

/** Token and sequence in the name of a file of the log folder; undefined for other files. */
export function logNumbers(name: string): { readonly token: number; readonly sequence: number } | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{8})\.log$/.exec(name)
  return match === null ? undefined : { token: Number.parseInt(match[1] as string, 16), sequence: Number.parseInt(match[2] as string, 16) }
}

export const ORDER_FOLDER = 'order'

export function orderName(token: number, sequence: number): string {
  return `${ORDER_FOLDER}/${hex(token)}-${hex(sequence)}.order`
}

/** Token and sequence in the name of a file of the order folder; undefined for other files. */
export function orderNumbers(name: string): { readonly token: number; readonly sequence: number } | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{8})\.order$/.exec(name)
  return match === null ? undefined : { token: Number.parseInt(match[1] as string, 16), sequence: Number.parseInt(match[2] as string, 16) }
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0')
}
