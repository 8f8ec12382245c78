/** The writer and its hosts. */
export type {
  BatchMessage,
  CommitMessage,
  CommittedMessage,
  ErrorData,
  FromWriter,
  ToWriter,
  UpkeepFacts,
  UpkeepMessage,
  WriterFacts,
  WriterHost,
} from './contract.ts'
export { fromErrorData, toErrorData } from './error-data.ts'
export { InlineHost, type InlineHostOptions } from './inline-host.ts'
export { assertThreadStarts, ThreadHost, type ThreadStart } from './thread-host.ts'
export { Writer, type WriterParts } from './writer.ts'
