import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'

it('without @underpass/native the socket is that of node:dgram, and says why', async () => {
  const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
  execFileSync(tsc, ['-b', fileURLToPath(new URL('..', import.meta.url))])
  // A copy away from every node_modules. The empty one keeps Bun from installing what it misses.
  const directory = mkdtempSync(join(tmpdir(), 'udp-'))
  try {
    mkdirSync(join(directory, 'node_modules'))
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    for (const part of ['dist', 'src'])
      cpSync(fileURLToPath(new URL(`../${part}`, import.meta.url)), join(directory, part), { recursive: true })
    const { openUdp } = (await import(pathToFileURL(join(directory, 'dist', 'index.js')).href)) as typeof import('../src/index.ts')
    const received: string[] = []
    const socket = await openUdp({
      address: '127.0.0.1',
      onDatagram: (_, kind) => void received.push(kind),
      onEspBatch: ({ buffer, offsets, lengths, count }) =>
        void received.push(`${count}: ${buffer.subarray(offsets[0], offsets[0] + lengths[0]).join(' ')}`),
      onError: () => {},
    })
    expect(socket.kind).toBe('dgram')
    expect(socket.fallbackReason).toContain('@underpass/native')
    socket.send('esp', Uint8Array.of(1, 2, 3, 4), socket.local)
    socket.send('keepalive', new Uint8Array(0), socket.local)
    for (let i = 0; received.length < 2 && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(received).toEqual(['1: 1 2 3 4', 'keepalive'])
    await socket.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})
