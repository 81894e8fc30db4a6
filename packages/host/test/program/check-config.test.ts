import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { HostError } from '../../src/host-error.ts'
import { checkConfig, clientPlan, loadClientConfig } from '../../src/index.ts'
import { unresolvedNames } from '../../src/program/unresolved-names.ts'
import { FakeIo } from '../fake-io.ts'
import { temporaryFile } from '../temporary.ts'

const PEER = '[peer]\ngateway = "192.0.2.9"\nlocal_id = "@me"\npsk = "correct horse battery staple"\n'
/** A name server that knows no name. */
const NOBODY = {
  resolve: (name: string): Promise<string[]> =>
    Promise.reject(new HostError('NAME_NOT_FOUND', `${name} has no address: no such name`, { name, reason: 'no such name' })),
  resolveServices: (): Promise<never> => Promise.reject(new Error('not asked')),
}
const MAPS = '/proc/self/maps'

describe('check-config', () => {
  // First: what is loaded stays. Only Linux tells what is, and CI is Linux.
  it.runIf(existsSync(MAPS))('loads nothing native for a file that names no congestion control', async () => {
    expect(await check(PEER)).toMatchObject({ exitCode: 0, err: '' })
    expect(readFileSync(MAPS, 'latin1')).not.toContain('koffi')
  })

  it('prints the subnets that are taken', async () => {
    const { out, err } = await check(`${PEER}remote = ["10.2.0.5/24"]\n`)
    expect(err).toMatch(/^warning: .*"10\.2\.0\.5\/24" has bits beyond its prefix; 10\.2\.0\.0\/24 is taken\n$/)
    expect(out).toContain('let through: the assigned address on this side <-> 10.2.0.0/24 on theirs\n')
    expect(out).not.toContain('10.2.0.5')
  })

  it('warns about each name that does not resolve, and is right all the same', async () => {
    const text = PEER.replace('192.0.2.9', 'gw.example').concat('transports = ["udp", "tls:443 via http://proxy.example:3128"]\n')
    const { exitCode, err } = await check(text)
    expect(exitCode).toBe(0)
    expect(err).toMatch(/^warning: \S+client\.toml: peer\.gateway: gw\.example has no address: no such name\n/)
    expect(err).toMatch(/\nwarning: \S+client\.toml: peer\.transports: proxy\.example has no address: no such name\n$/)
    const { out } = await check(text, true)
    expect(JSON.parse(out).warnings).toHaveLength(2)
  })

  it('but not about one that only a proxy is told, nor about addresses', async () => {
    const text = PEER.replace('192.0.2.9', 'gw.example').concat('transports = ["tls:443 via http://192.0.2.3:3128"]\n')
    expect(await check(text)).toMatchObject({ exitCode: 0, err: '' })
  })

  it('a congestion control that cannot be had here is an error with file, line and key, as data too', async () => {
    const text = `${PEER}[tcp]\ncongestion_control = "no-such"\n`
    expect(await check(text)).toEqual({
      exitCode: 2,
      out: '',
      err: expect.stringMatching(
        /^\S+client\.toml:6: tcp\.congestion_control: "no-such" (is not loaded in this kernel|needs native sockets).*\n$/,
      ),
    })
    const { exitCode, out } = await check(text, true)
    expect(exitCode).toBe(2)
    expect(JSON.parse(out)).toMatchObject({ kind: 'config', ok: false, issues: [{ line: 6, key: 'tcp.congestion_control' }] })
  })
})

async function check(text: string, json = false): Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> {
  const { out, err, told } = new FakeIo()
  const file = temporaryFile('client.toml', text)
  const exitCode = await checkConfig(() => loadClientConfig(file), clientPlan, {
    json,
    out,
    err,
    warnAbout: (config) => unresolvedNames(config, NOBODY),
  })
  return { exitCode, ...told }
}
