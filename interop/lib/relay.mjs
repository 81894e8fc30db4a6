// A relay between a peer and our gateway that breaks their stream on demand (`stream-relay.mjs`).
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./stream-relay.mjs', import.meta.url))

/** Until it listens. `listen` and `target`: ADDRESS:PORT. */
export async function startRelay(lab, namespace, { label = 'relay', listen, target }) {
  const control = join(tmpdir(), `${lab.prefix}-${label}.sock`)
  lab.defer(async () => rmSync(control, { force: true }))
  const relay = lab.backgroundIn(namespace, label, [process.execPath, program, listen, target, control])
  await relay.waitForLine(/LISTENING/)
  return {
    redial: (from) => ask(control, { do: 'redial', from }),
    replay: (what, from) => ask(control, { do: 'replay', what, from }),
  }
}

function ask(control, command) {
  return new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(control, () => socket.write(JSON.stringify(command)))
    socket.setTimeout(15_000, () => socket.destroy(new Error(`the relay did not do ${command.do} in 15 s`)))
    socket.on('data', (text) => {
      said += text
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(JSON.parse(said)))
  })
}
