// One suite in a process of its own, so that what one compiles or keeps does not show in another. The last line is its result.
import { argv } from 'node:process'

const [, , name, options] = argv
try {
  const { run } = await import(`./suites/${name}.mjs`)
  const result = await run(JSON.parse(options))
  process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit(0))
} catch (error) {
  console.error(error.stack)
  process.exit(1)
}
