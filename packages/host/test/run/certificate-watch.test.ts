import { readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type CertificateWatch, watchCertificate } from '../../src/run/certificate-watch.ts'
import { temporaryDirectory } from '../temporary.ts'

const FIXTURES = new URL('../../../tls-transport/test/fixtures/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(`test-only-${name}.pem`, FIXTURES), 'utf8')
const OLD = { cert: fixture('certificate'), key: fixture('key') }
const NEW = { cert: fixture('rsa-certificate'), key: fixture('rsa-key') }

interface Watched {
  readonly watch: CertificateWatch
  readonly files: { readonly cert: string; readonly key: string }
  readonly directory: string
  /** 'new' or 'old' for each pair that was taken; what was wrong otherwise. */
  readonly said: string[]
}

function watched(): Watched {
  const directory = temporaryDirectory()
  const files = { cert: join(directory, 'fullchain.pem'), key: join(directory, 'privkey.pem') }
  writeFileSync(files.cert, OLD.cert)
  writeFileSync(files.key, OLD.key)
  return { ...watching(files), files, directory }
}

function watching(files: Watched['files'], interval = 3_600_000): Pick<Watched, 'watch' | 'said'> {
  const said: string[] = []
  const watch = watchCertificate(
    files,
    OLD,
    {
      onPair: ({ cert, key }) =>
        said.push(cert === NEW.cert && key === NEW.key ? 'new' : cert === OLD.cert && key === OLD.key ? 'old' : 'mixed'),
      onProblem: (problem) => said.push(problem),
    },
    interval,
  )
  onTestFinished(() => watch.close())
  return { watch, said }
}

const looks = ({ watch }: Pick<Watched, 'watch'>, times = 3): void => {
  for (let i = 0; i < times; i++) watch.look()
}

describe('a certificate and a key in files', () => {
  it('as they were, nothing is said', () => {
    const one = watched()
    looks(one)
    writeFileSync(one.files.cert, OLD.cert)
    looks(one)
    expect(one.said).toEqual([])
  })

  it('written over', () => {
    const one = watched()
    looks(one)
    writeFileSync(one.files.cert, NEW.cert)
    writeFileSync(one.files.key, NEW.key)
    looks(one)
    expect(one.said).toEqual(['new'])
  })

  it('replaced by rename, one after the other, with a look between', () => {
    const one = watched()
    for (const [pair, expected] of [
      [NEW, ['new']],
      [OLD, ['new', 'old']],
    ] as const) {
      for (const kind of ['cert', 'key'] as const) {
        writeFileSync(join(one.directory, 'next'), pair[kind])
        renameSync(join(one.directory, 'next'), one.files[kind])
        one.watch.look()
      }
      expect(one.said).toEqual(expected)
    }
  })

  it('links that lead elsewhere, as certbot has them', () => {
    const directory = temporaryDirectory()
    const files = { cert: join(directory, 'fullchain.pem'), key: join(directory, 'privkey.pem') }
    for (const [at, pair] of [OLD, NEW].entries()) {
      writeFileSync(join(directory, `fullchain${at}`), pair.cert)
      writeFileSync(join(directory, `privkey${at}`), pair.key)
    }
    symlinkSync('fullchain0', files.cert)
    symlinkSync('privkey0', files.key)
    const one = watching(files)
    looks(one)
    for (const [file, target] of [
      [files.cert, 'fullchain1'],
      [files.key, 'privkey1'],
    ] as const) {
      unlinkSync(file)
      symlinkSync(target, file)
    }
    looks(one)
    expect(one.said).toEqual(['new'])
  })

  it('a folder above them that is another', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'cert'), OLD.cert)
    writeFileSync(join(directory, 'key'), OLD.key)
    symlinkSync(directory, join(directory, 'data'))
    const other = temporaryDirectory()
    writeFileSync(join(other, 'cert'), NEW.cert)
    writeFileSync(join(other, 'key'), NEW.key)
    const one = watching({ cert: join(directory, 'data', 'cert'), key: join(directory, 'data', 'key') })
    looks(one)
    symlinkSync(other, join(directory, 'next'))
    renameSync(join(directory, 'next'), join(directory, 'data'))
    looks(one)
    expect(one.said).toEqual(['new'])
  })

  it('half of a certificate, a key of another, or none: told once each, the old pair stays, and the whole one is taken when it is there', () => {
    const one = watched()
    writeFileSync(one.files.cert, NEW.cert.slice(0, NEW.cert.length / 2))
    looks(one, 4)
    expect(one.said.splice(0)).toEqual(['the certificate cannot be read: it is no PEM, or only part of one'])
    writeFileSync(one.files.cert, NEW.cert)
    looks(one, 4)
    expect(one.said.splice(0)).toEqual(['the private key is not that of the certificate'])
    rmSync(one.files.key)
    looks(one, 4)
    expect(one.said.splice(0)).toEqual([expect.stringContaining('ENOENT')])
    writeFileSync(one.files.key, NEW.key)
    looks(one, 4)
    expect(one.said).toEqual(['new'])
  })

  it('links that lead round in a circle: told once, and the pair is taken when there is one again', () => {
    const one = watched()
    rmSync(one.files.cert)
    symlinkSync(one.files.cert, one.files.cert)
    looks(one, 4)
    expect(one.said.splice(0)).toEqual([expect.stringContaining('ELOOP')])
    rmSync(one.files.cert)
    writeFileSync(one.files.cert, NEW.cert)
    writeFileSync(one.files.key, NEW.key)
    looks(one, 4)
    expect(one.said).toEqual(['new'])
  })

  const refused: (readonly [string, typeof NEW])[] = [
    ['a whole certificate and half of its chain', { cert: NEW.cert + OLD.cert.slice(0, OLD.cert.length / 2), key: NEW.key }],
  ]
  // BoringSSL finds a short key only in a handshake.
  if (!('Bun' in globalThis))
    refused.push(['a key that is too short for TLS', { cert: fixture('short-certificate'), key: fixture('short-key') }])
  it.each(refused)('%s: told once, the old pair stays, and the whole one is taken when it is there', (_, pair) => {
    const one = watched()
    writeFileSync(one.files.cert, pair.cert)
    writeFileSync(one.files.key, pair.key)
    looks(one, 4)
    expect(one.said.splice(0)).toEqual([expect.stringMatching(/^the certificate, with its chain, is not taken: /)])
    writeFileSync(one.files.cert, NEW.cert)
    writeFileSync(one.files.key, NEW.key)
    looks(one, 4)
    expect(one.said).toEqual(['new'])
  })

  it('a pair that could not be put to use is told once, does not end the looking, and is offered until it is', () => {
    const { files } = watched()
    const said: string[] = []
    let isRefused = true
    const watch = watchCertificate(
      files,
      OLD,
      {
        onPair() {
          if (isRefused) throw new Error('refused')
          said.push('taken')
        },
        onProblem: (problem) => said.push(problem),
      },
      3_600_000,
    )
    onTestFinished(() => watch.close())
    writeFileSync(files.cert, NEW.cert)
    writeFileSync(files.key, NEW.key)
    looks({ watch }, 4)
    expect(said.splice(0)).toEqual(['refused'])
    isRefused = false
    looks({ watch }, 4)
    expect(said).toEqual(['taken'])
  })

  it('what is wrong only between two looks is not told', () => {
    const one = watched()
    writeFileSync(one.files.cert, NEW.cert)
    one.watch.look()
    writeFileSync(one.files.key, NEW.key)
    looks(one)
    expect(one.said).toEqual(['new'])
  })

  it('it looks by itself', async () => {
    const { files } = watched()
    const { said } = watching(files, 5)
    writeFileSync(files.cert, NEW.cert)
    writeFileSync(files.key, NEW.key)
    for (let i = 0; said.length === 0 && i < 1_000; i++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(said.filter((one) => one === 'new')).toEqual(['new'])
  })
})
