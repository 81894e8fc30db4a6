// Whether an address answers. reach.mjs ADDRESS PORT
import { connect } from 'node:net'

const [host, port] = process.argv.slice(2)
const socket = connect({ host, port: Number(port), timeout: 1_000 })
const say = (reached, how) => {
  console.log(JSON.stringify({ reached, how }))
  socket.destroy()
}
socket.once('connect', () => say(true, 'connected'))
socket.once('timeout', () => say(false, 'no answer in 1 s'))
socket.once('error', ({ code }) => say(false, code))
