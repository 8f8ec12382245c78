/** redis-server with an append-only file, synced every second, over a socket of its own; the few words of its protocol that are needed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../harness/child.ts'
import type { Peer } from './peers.ts'
import { makeSession, type Session, tailOf } from './state.ts'

const BATCH_KEYS = 10_000
const RETRY_MS = 2
/** All that was written before is synced by then. */
const SYNCED_MS = 2500

export const redis: Peer = {
  async fill(folder, keys) {
    const { server, ask } = await start(folder)
    let batch: string[][] = []
    const flush = async (): Promise<void> => {
      await ask(batch)
      batch = []
    }
    const put = async (id: number, round: number): Promise<void> => {
      batch.push(['SET', String(id), JSON.stringify(makeSession(id, round))])
      if (batch.length === BATCH_KEYS) await flush()
    }
    for (let id = 0; id < keys; id++) await put(id, 1)
    for (const id of tailOf(keys)) await put(id, 2)
    await flush()
    await sleep(SYNCED_MS)
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  },
  async open(folder) {
    const { ask } = await start(folder)
    return async id => {
      const [found] = await ask([['GET', String(id)]])
      return found === undefined ? undefined : (JSON.parse(found) as Session)
    }
  },
}

type Answer = string | undefined | Error
type Ask = (commands: readonly (readonly string[])[]) => Promise<(string | undefined)[]>

/** Resolves when the server has loaded what is in the folder. */
async function start(folder: string): Promise<{ server: ChildProcess; ask: Ask }> {
  // The path of a socket is short, that of the folder need not be.
  const place = mkdtempSync(join(tmpdir(), 'bench-redis-'))
  const path = join(place, 'socket')
  const files = ['--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec']
  const server = spawn('redis-server', ['--port', '0', '--unixsocket', path, ...files], { stdio: 'ignore' })
  process.once('exit', () => {
    server.kill('SIGKILL')
    rmSync(place, { recursive: true, force: true })
  })
  server.once('error', error => {
    throw error
  })
  const ask = asker(await reach(path))
  while ((await ask([['GET', 'anything']]).catch(loading)) === undefined) await sleep(RETRY_MS)
  return { server, ask }
}

function loading(error: Error): undefined {
  if (!error.message.startsWith('LOADING')) throw error
}

async function reach(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      await sleep(RETRY_MS)
    }
  }
}

/** Sends commands together and waits for all answers; one call at a time. */
function asker(socket: Socket): Ask {
  let text = ''
  let arrived = (): void => {}
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
    arrived()
  })
  return async commands => {
    const parts = commands.map(words => `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
    socket.write(parts.join(''))
    const answers: Answer[] = []
    for (;;) {
      const came = new Promise<void>(resolve => {
        arrived = resolve
      })
      text = take(text, answers, commands.length)
      if (answers.length === commands.length) break
      await came
    }
    return answers.map(answer => {
      if (answer instanceof Error) throw answer
      return answer === undefined ? undefined : Buffer.from(answer, 'latin1').toString()
    })
  }
}

/** Takes whole answers from the front of the text; gives what is left. */
function take(text: string, answers: Answer[], wanted: number): string {
  let at = 0
  while (answers.length < wanted) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) break
    const line = text.slice(at + 1, end)
    if (text[at] !== '$') {
      answers.push(text[at] === '-' ? new Error(line) : line)
      at = end + 2
      continue
    }
    const length = Number(line)
    if (length >= 0 && text.length < end + 4 + length) break
    answers.push(length < 0 ? undefined : text.slice(end + 2, end + 2 + length))
    at = length < 0 ? end + 2 : end + 4 + length
  }
  return text.slice(at)
}
