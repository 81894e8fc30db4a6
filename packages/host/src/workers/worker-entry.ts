/** The file that a worker thread runs. */
import { parentPort } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './messages.ts'
import { GatewayWorker } from './worker.ts'

const port = parentPort!
const worker = new GatewayWorker((message: FromWorker) => port.postMessage(message))
port.on('message', (message: ToWorker) => void worker.handle(message))
