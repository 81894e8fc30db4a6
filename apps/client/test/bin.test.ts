/** The program as it is installed, with real signals. Only where it is built. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { configFile } from '../../../packages/host/test/program-run.ts'

const BIN = fileURLToPath(new URL('../dist/underpass.js', import.meta.url))
const EXAMPLE = fileURLToPath(new URL('../examples/client.toml', import.meta.url))

describe.skipIf(!existsSync(BIN))('the underpass program', () => {
  it('exits with what it found: 0 for the example, 2 for a mistake, 1 where nothing runs, 4 where nobody answers', async () => {
    expect(await exitOf(start('check-config', '--config', EXAMPLE))).toBe(0)
    expect(await exitOf(start('check-config', '--config', file('[peer]\nbogus = 1\n')))).toBe(2)
    expect(await exitOf(start('status', '--control', '/nowhere/c.sock'))).toBe(1)
    // Port 1 of this machine: nobody has a tcpmux any more.
    expect(await exitOf(start('up', '--config', file(PEER)))).toBe(4)
  }, 60_000)

  it('goes down on SIGTERM with exit code 0, on SIGINT before the tunnel is up with 130', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 0],
    ] as const) {
      const child = start('up', '--keep-retrying', '--config', file(PEER))
      await said(child, 'trying again')
      // Not `child.kill`: Deno then reports the signal as the cause of the end, whatever the program made of it.
      process.kill(child.pid!, signal)
      expect(await exitOf(child)).toBe(code)
    }
  }, 60_000)

  it('a reader that hangs up is no failure: the usual exit code, and not a word', async () => {
    for (const [argv, code] of [
      [['--help'], 0],
      [['check-config', '--config', EXAMPLE], 0],
      [['check-config', '--json', '--config', file('[peer]\nbogus = 1\n')], 2],
    ] as const) {
      const child = start(...argv)
      child.stdout!.destroy()
      let told = ''
      child.stderr!.on('data', (chunk) => {
        told += String(chunk)
      })
      expect(await exitOf(child)).toBe(code)
      expect(told).not.toContain('EPIPE')
    }
  }, 60_000)

  it('up goes on when nobody reads any more', async () => {
    const path = file(`${PEER}[timers]\nretry = "100ms"\n`)
    const child = start('up', '--keep-retrying', '--config', path)
    await said(child, 'trying again')
    child.stdout!.destroy()
    // The next attempts have something to say.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(child.exitCode).toBeNull()
    expect(await exitOf(start('status', '--config', path))).toBe(0)
    process.kill(child.pid!, 'SIGTERM')
    expect(await exitOf(child)).toBe(0)
  }, 60_000)
})

const PEER =
  'control = "CONTROL"\ntun = "memory"\n[peer]\ngateway = "127.0.0.1"\nlocal_id = "@me"\npsk = "correct horse battery staple"\ntransports = ["tcp:1"]\n'

function start(...argv: readonly string[]): ChildProcess {
  const runtime = 'Deno' in globalThis ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...runtime, BIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.on('exit', (code) => resolve(code))
  })
}

function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout!.on('data', (chunk) => {
      output += String(chunk)
      if (output.includes(text)) resolve()
    })
    child.on('exit', () => reject(new Error(`it ended without saying "${text}": ${output}`)))
  })
}

function file(text: string): string {
  return configFile('client.toml', text)
}
