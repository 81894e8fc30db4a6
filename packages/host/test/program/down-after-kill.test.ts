/** `underpass down` beside what a killed program left. */
import { existsSync, linkSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { downCommand, Journal, type JournalOwner, journalOwner, journalPath, openControlSocket } from '../../src/index.ts'
import { FakeIo } from '../fake-io.ts'
import { FakeIp } from '../network/fake-ip.ts'
import { temporaryDirectory } from '../temporary.ts'

const DEAD: JournalOwner = { ...journalOwner(), pid: 2 ** 22 + 1, started: '1' }

describe('underpass down after kill -9', () => {
  it('a socket and an empty journal: nothing to undo, the socket is removed, exit code 0', async () => {
    const control = await staleSocket()
    new Journal(journalPath(control), DEAD).keep()
    expect(await down(control)).toEqual({ code: 0, out: 'it was killed; nothing was left to undo\n', err: '', ran: [] })
    expect([existsSync(control), existsSync(journalPath(control))]).toEqual([false, false])
    expect(await down(control)).toMatchObject({ code: 1, err: `nothing is running: nobody answers on ${control}\n` })
  })

  it('a socket alone, as of tun = "memory"; --json', async () => {
    const control = await staleSocket()
    expect(await down(control, true)).toMatchObject({ code: 0, out: '{"kind":"recovered","undone":[]}\n' })
    expect(existsSync(control)).toBe(false)
  })

  it('what was left is undone and told', async () => {
    const control = await staleSocket()
    const journal = new Journal(journalPath(control), DEAD)
    journal.begin({ key: 'r', what: 'route x', undo: { kind: 'run', program: 'ip', args: ['del', 'x'] }, lives: 'namespace' })
    journal.keep()
    expect(await down(control)).toEqual({ code: 0, out: 'it was killed; undone now:\n  route x\n', err: '', ran: ['ip del x'] })
    expect(existsSync(control)).toBe(false)
  })

  it('where nothing ever ran, or there is a file that is no socket: as ever', async () => {
    const control = join(temporaryDirectory(), 'c.sock')
    expect(await down(control)).toMatchObject({ code: 1, out: '', err: `nothing is running: nobody answers on ${control}\n` })
  })

  it('one that is running goes down, and its socket is its own to remove', async () => {
    const path = join(temporaryDirectory(), 'c.sock')
    const control = await openControlSocket(path, { status: () => undefined as never, rekey: () => {}, down: () => void control.close([]) })
    onTestFinished(() => control.close([]))
    expect(await down(path)).toMatchObject({ code: 0, out: 'down\n' })
  })
})

async function down(controlPath: string, json = false): Promise<{ code: number; out: string; err: string; ran: readonly string[] }> {
  const [io, ip] = [new FakeIo(), new FakeIp()]
  const code = await downCommand({ controlPath, json, out: io.out, err: io.err, run: ip.run })
  return { code, ...io.told, ran: ip.commands }
}

/** What is left when nobody unlinks: a socket file that refuses connections. */
async function staleSocket(): Promise<string> {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'made'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(directory, 'made', 's'), resolve))
  linkSync(join(directory, 'made', 's'), join(directory, 'client.sock'))
  await new Promise((resolve) => server.close(resolve))
  return join(directory, 'client.sock')
}
