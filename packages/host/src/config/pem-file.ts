import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { reasonOf } from '../host-error.ts'
import type { Findings } from './load.ts'
import type { KeyPath } from './toml-locator.ts'

const MOST = 1_048_576

type Content = 'certificate' | 'private key without a password'

const BEGINNINGS: Readonly<Record<Content, RegExp>> = {
  certificate: /-----BEGIN CERTIFICATE-----/,
  'private key without a password': /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/,
}

/** The text of a PEM file, whose name starts at the configuration's own directory. What is wrong with it is an issue of `key`. */
export function readPem(file: string, what: Content, key: KeyPath, findings: Findings): string {
  try {
    const text = readSmallFile(pathOfPem(file, findings))
    if (!BEGINNINGS[what].test(text)) findings.issue(key, `has no ${what} in PEM in it`)
    return text
  } catch (error) {
    findings.issue(key, `cannot be read: ${reasonOf(error)}`)
    return ''
  }
}

/** Absolute. */
export function pathOfPem(file: string, findings: Pick<Findings, 'file'>): string {
  return resolve(dirname(findings.file), file)
}

/** @throws Error also where it is no file, or one that nobody would write by hand */
export function readSmallFile(file: string): string {
  const stat = statSync(file)
  if (!stat.isFile()) throw new Error(`${file} is no file`)
  if (stat.size > MOST) throw new Error(`${file} has ${stat.size} octets`)
  return readFileSync(file, 'utf8')
}
