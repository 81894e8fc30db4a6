#!/usr/bin/env node
import { optimizeEarly } from '@underpass/host'
import { main } from './program.ts'

optimizeEarly()
process.exitCode = await main(process.argv.slice(2))
