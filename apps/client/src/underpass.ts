#!/usr/bin/env node
import { tuneV8 } from '@underpass/host'
import { main } from './program.ts'

tuneV8()
process.exitCode = await main(process.argv.slice(2))
