import { readFileSync, statSync } from 'node:fs'

const MOST = 1_048_576

/** The text of a file that a configuration names. @throws Error also where it is no file, or one that nobody would write by hand */
export function readSmallFile(file: string): string {
  const stat = statSync(file)
  if (!stat.isFile()) throw new Error(`${file} is no file`)
  if (stat.size > MOST) throw new Error(`${file} has ${stat.size} octets`)
  return readFileSync(file, 'utf8')
}
