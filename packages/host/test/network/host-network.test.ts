import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { HostNetwork, Journal, type JournalOwner, journalOwner, readJournal, recover, type Step } from '../../src/index.ts'
import { ip } from '../../src/network/step.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'
import { FakeIp } from './fake-ip.ts'

describe('changes to the host', () => {
  it('are undone newest first, and leave no journal', async () => {
    const { host, fake, journal } = network()
    await host.replace('routes', [route('a'), route('b')])
    await host.replace('more', [route('c')])
    expect(host.changes).toEqual(['route a', 'route b', 'route c'])
    expect(await host.removeAll()).toEqual([])
    expect(fake.commands).toEqual(['ip add a', 'ip add b', 'ip add c', 'ip del c', 'ip del b', 'ip del a'])
    expect(existsSync(journal.path)).toBe(false)
  })

  it('are in the journal before they are made, and out of it once undone', async () => {
    const { host, fake, journal } = network()
    const seen: string[][] = []
    const asked = fake.run
    const watching = new HostNetwork({
      run: async (program, args) => {
        seen.push(readJournal(journal.path)!.pending.map(({ key }) => key))
        return await asked(program, args)
      },
      journal,
      onNotice: () => {},
    })
    await watching.replace('routes', [route('a'), route('b')])
    await watching.replace('routes', [route('b')])
    expect(seen).toEqual([['a'], ['a', 'b'], ['a', 'b']])
    expect(readJournal(journal.path)!.pending.map(({ key }) => key)).toEqual(['b'])
    expect(host.changes).toEqual([])
  })

  it('a group that changes keeps what it still names', async () => {
    const { host, fake } = network()
    await host.replace('routes', [route('a'), route('b')])
    await host.replace('routes', [route('b'), route('c')])
    expect(fake.commands).toEqual(['ip add a', 'ip add b', 'ip del a', 'ip add c'])
  })

  it('one that fails is not undone, and the error has the command and its words', async () => {
    const { host, fake, journal } = network()
    fake.answer('ip add b', { exitCode: 2, stderr: 'RTNETLINK answers: Network is unreachable\n' })
    await expect(host.replace('routes', [route('a'), route('b'), route('c')])).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: 'ip add b: RTNETLINK answers: Network is unreachable',
    })
    expect(readJournal(journal.path)!.pending.map(({ key }) => key)).toEqual(['a'])
    await host.removeAll()
    expect(fake.commands).toEqual(['ip add a', 'ip add b', 'ip del a'])
  })

  it('a route that somebody else has made is left alone, with a notice', async () => {
    const { host, fake, notices } = network()
    fake.answer('ip add a', { exitCode: 2, stderr: 'RTNETLINK answers: File exists' })
    await host.replace('routes', [route('a')])
    await host.removeAll()
    expect(fake.commands).toEqual(['ip add a'])
    expect(notices).toEqual(['route a: there is one already; it is left as it is'])
  })

  it('undoing what has gone by itself is no error', async () => {
    const { host, fake } = network()
    await host.replace('routes', [route('a')])
    fake.answer('ip del a', { exitCode: 1, stderr: 'Cannot find device "underpass0"' })
    expect(await host.removeAll()).toEqual([])
  })

  it('what cannot be undone is told, the rest is undone, and the journal keeps it', async () => {
    const { host, fake, journal } = network()
    await host.replace('routes', [route('a'), route('b'), route('c')])
    fake.answer('ip del b', { exitCode: 2, stderr: 'RTNETLINK answers: Operation not permitted' })
    expect(await host.removeAll()).toEqual(['ip del b: RTNETLINK answers: Operation not permitted'])
    expect(fake.commands.slice(-3)).toEqual(['ip del c', 'ip del b', 'ip del a'])
    expect(readJournal(journal.path)!.pending.map(({ key }) => key)).toEqual(['b'])
  })

  it('a file gets its former content back, unless somebody has written to it since', async () => {
    const { host } = network()
    const file = temporaryFile('ip_forward', '0\n')
    const other = temporaryFile('resolv.conf', 'nameserver 192.0.2.1\n')
    await host.replace('files', [write(file, '1\n'), write(other, 'nameserver 10.2.0.53\n')])
    expect(readFileSync(file, 'utf8')).toBe('1\n')
    writeFileSync(other, 'nameserver 203.0.113.1\n')
    await host.removeAll()
    expect(readFileSync(file, 'utf8')).toBe('0\n')
    expect(readFileSync(other, 'utf8')).toBe('nameserver 203.0.113.1\n')
  })

  it('a file that holds it already is not ours to undo', async () => {
    const { host } = network()
    const file = temporaryFile('ip_forward', '1\n')
    await host.replace('files', [write(file, '1\n')])
    expect(host.changes).toEqual([])
  })
})

describe('what a killed process left behind', () => {
  it('is undone by the next start, newest first, but for what went with its device', async () => {
    const path = killed([route('a'), { ...route('b'), lives: 'device' }, route('c')])
    const fake = new FakeIp()
    expect(await recover(path, fake.run, SELF)).toEqual(['route c', 'route a'])
    expect(fake.commands).toEqual(['ip del c', 'ip del a'])
    expect(existsSync(path)).toBe(false)
  })

  it('includes a change that may or may not have been made when it was killed', async () => {
    const path = killed([route('a')])
    const fake = new FakeIp().answer('ip del a', { exitCode: 2, stderr: 'RTNETLINK answers: No such process' })
    expect(await recover(path, fake.run, SELF)).toEqual([])
    expect(existsSync(path)).toBe(false)
  })

  it('is left where the process lives', async () => {
    const path = killed([route('a')], journalOwner())
    const fake = new FakeIp()
    await expect(recover(path, fake.run, SELF)).rejects.toMatchObject({ code: 'ALREADY_RUNNING', context: { pid: process.pid } })
    expect(fake.commands).toEqual([])
    expect(existsSync(path)).toBe(true)
  })

  it('is not mistaken for another process with the same number', async () => {
    const path = killed([route('a')], { ...journalOwner(), started: '1' })
    expect(await recover(path, new FakeIp().run, SELF)).toEqual(['route a'])
  })

  it('does not count after a reboot, but for files on disk', async () => {
    for (const other of [{ boot: 'another' }, { boot: 'another', namespace: 'net:[1]' }]) {
      const file = temporaryFile('resolv.conf', 'ours\n')
      const path = killed([route('a'), onDisk(file)], { ...SELF, pid: 4_194_305, ...other })
      const fake = new FakeIp()
      expect(await recover(path, fake.run, SELF)).toEqual([`write ${file}`])
      expect(fake.commands).toEqual([])
      expect(readFileSync(file, 'utf8')).toBe('theirs\n')
      expect(existsSync(path)).toBe(false)
    }
  })

  it.each(['namespace', 'disk'] as const)('is kept for the network namespace that it was done in (%s)', async (lives) => {
    const file = temporaryFile('resolv.conf', 'ours\n')
    const there = { ...SELF, pid: 4_194_305, namespace: 'net:[1]' }
    const path = killed([lives === 'disk' ? onDisk(file) : route('a')], there)
    const before = readFileSync(path, 'utf8')
    const fake = new FakeIp()
    await expect(recover(path, fake.run, SELF)).rejects.toMatchObject({
      code: 'OTHER_NAMESPACE',
      message: expect.stringMatching(/left by a process in another network namespace \(net:\[1\]\); run this there/),
      context: { path, namespace: 'net:[1]' },
    })
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readFileSync(file, 'utf8')).toBe('ours\n')
    expect(fake.commands).toEqual([])
    expect(await recover(path, fake.run, there)).toHaveLength(1)
    expect(existsSync(path)).toBe(false)
  })

  it('keeps nobody out where all of it went with the device of another network namespace', async () => {
    const path = killed([{ ...route('a'), lives: 'device' }], { ...SELF, pid: 4_194_305, namespace: 'net:[1]' })
    expect(await recover(path, new FakeIp().run, SELF)).toEqual([])
    expect(existsSync(path)).toBe(false)
  })

  it.skipIf(process.platform !== 'linux')('is nobody’s where its process is a zombie', async () => {
    // The shell becomes a `sleep`, which never asks how its first child ended; by then, or the shell asks itself.
    const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void parent.kill('SIGKILL'))
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
    await vi.waitFor(() => expect(statOf(pid)[0]).toBe('Z'), { timeout: 5_000, interval: 10 })
    const path = killed([route('a')], { ...SELF, pid, started: statOf(pid)[19]! })
    expect(await recover(path, new FakeIp().run, SELF)).toEqual(['route a'])
  })

  it('stays in the journal where it cannot be undone', async () => {
    const path = killed([route('a')])
    const fake = new FakeIp().answer('ip del a', { exitCode: 2, stderr: 'RTNETLINK answers: Operation not permitted' })
    await expect(recover(path, fake.run, SELF)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
    expect(existsSync(path)).toBe(true)
  })

  it('is not undone where there is no `ip` to do it', async () => {
    const path = killed([route('a')])
    const fake = new FakeIp().answer('ip del a', { exitCode: 127, stderr: 'spawn ip ENOENT' })
    await expect(recover(path, fake.run, SELF)).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
  })

  it('a journal that was cut anywhere is read as far as it goes', async () => {
    const text = readFileSync(killed([route('a'), route('b')]), 'utf8')
    for (let end = 0; end <= text.length; end++) {
      const pending = readJournal(temporaryFile('journal', text.slice(0, end)))!.pending.map(({ key }) => key)
      expect(['', 'a', 'a,b']).toContain(pending.join())
    }
  })
})

const SELF: JournalOwner = journalOwner()

function onDisk(file: string): Step {
  return { ...write(file, 'ours\n'), lives: 'disk', undo: { kind: 'write', path: file, content: 'theirs\n', onlyOver: 'ours\n' } }
}

/** proc(5), from the state on. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function network(): { readonly host: HostNetwork; readonly fake: FakeIp; readonly journal: Journal; readonly notices: string[] } {
  const fake = new FakeIp()
  const notices: string[] = []
  const journal = new Journal(join(temporaryDirectory(), 'run', 'client.sock.journal'), journalOwner())
  return { host: new HostNetwork({ run: fake.run, journal, onNotice: (text) => notices.push(text) }), fake, journal, notices }
}

/** The journal of a process that made these changes and was killed. No Linux gives out that pid. */
function killed(steps: readonly Step[], owner: JournalOwner = { ...SELF, pid: 4_194_305 }): string {
  const journal = new Journal(join(temporaryDirectory(), 'journal'), owner)
  for (const { key, what, undo, lives } of steps) journal.begin({ key, what, undo: undo === 'restore' ? 'nothing' : undo, lives })
  journal.keep()
  return journal.path
}

function route(name: string): Step {
  return { key: name, what: `route ${name}`, action: ip('add', name), undo: ip('del', name), lives: 'namespace', mayExist: true }
}

function write(path: string, content: string): Step {
  return { key: path, what: `write ${path}`, action: { kind: 'write', path, content }, undo: 'restore', lives: 'namespace' }
}
