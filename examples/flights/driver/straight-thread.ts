/** The thread of straight.ts: decodes the file for itself and computes. */
import { parentPort, workerData } from 'node:worker_threads'
import { readFlightsFile } from '../input/flights-file.ts'
import { StraightComputation } from './verify.ts'

const { flights, keepDays } = workerData as { readonly flights: number; readonly keepDays: number }
const straight = new StraightComputation(keepDays)
for await (const columns of readFlightsFile(flights)) straight.add(columns)
parentPort?.postMessage(straight.result())
