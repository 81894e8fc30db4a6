import { CodecError } from '../src/index.ts'

/** The CodecError that `run` throws; any other outcome fails the test. */
export function errorOf(run: () => unknown): CodecError {
  const result = decodeOr(run)
  if (result instanceof CodecError) return result
  throw new Error('expected a CodecError')
}

/** The result, or the CodecError; another error passes through and fails the test. */
export function decodeOr<T>(run: () => T): T | CodecError {
  try {
    return run()
  } catch (error) {
    if (error instanceof CodecError) return error
    throw error
  }
}
