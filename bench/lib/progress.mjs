/** What run.mjs passes on at once; all else that a suite says on stderr is shown when it fails. */
export const PROGRESS = '· '

export const progress = (text) => process.stderr.write(`${PROGRESS}${text}\n`)
