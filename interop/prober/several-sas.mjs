#!/usr/bin/env node
// several-sas.mjs --host ADDRESS --secret PSK --peer-id ID --inner ADDRESS ID ID: two IKE SAs, one for each ID, on one TCP connection to a
// responder of draft-pauly-ipsecme-tcp-encaps-03 on port 4500. It shares no code with the product. --inner answers pings behind it.
// One line a fact: ok|FAIL  what. Exit code: 0 all ok, 1 not, 64 usage.
import { parseArgs } from 'node:util'
import { EspSa, echoRequest, isEchoReply } from './esp.mjs'
import { EXCHANGE, IkeInitiator, parseHeader } from './ike.mjs'
import { frame, ikeFrame, isIke, Stream } from './stream.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { host: { type: 'string' }, secret: { type: 'string' }, 'peer-id': { type: 'string' }, inner: { type: 'string' } },
})
const { host, secret, inner } = values
if (host === undefined || secret === undefined || inner === undefined || positionals.length !== 2) {
  console.error('usage: several-sas.mjs --host ADDRESS --secret PSK --inner ADDRESS ID ID (see the head of the file)')
  process.exit(64)
}

/** The draft's Length, which counts itself. */
const LENGTH = 4
const target = { host, port: 4500, lengthOctets: LENGTH }
const stream = await Stream.open(target)
const [one, two] = positionals.map((id) => ({ ike: new IkeInitiator({ id, peerId: values['peer-id'], secret }) }))
let failures = 0

// Both directions of both are on the one connection, and each write has something of both in it.
await stream.send(Buffer.concat([one, two].map(({ ike }) => ikeFrame(ike.initRequest(stream.local, stream.remote), LENGTH))))
for (const { ike } of [one, two]) ike.acceptInit(await stream.ike((message) => ike.owns(message)))
await stream.send(Buffer.concat([one, two].map(({ ike }) => ikeFrame(ike.authRequest(), LENGTH))))
for (const sa of [one, two]) {
  const isAnswer = (message) => sa.ike.owns(message) && parseHeader(message).exchange === EXCHANGE.IKE_AUTH
  sa.esp = new EspSa({ ...sa.ike.acceptAuth(await stream.ike(isAnswer)), ownSpi: sa.ike.espSpi })
}
const addresses = [one, two].map(({ esp }) => esp.innerAddress)
tell(new Set(addresses).size === 2, `two IKE SAs on one connection, with the inner addresses ${addresses.join(' and ')}`)

const asked = [one, two].map(({ ike }) => ike.informational())
const interleaved = Buffer.concat([
  echo(one, 1),
  ikeFrame(asked[1], LENGTH),
  echo(two, 1),
  echo(one, 2),
  ikeFrame(asked[0], LENGTH),
  echo(two, 2),
])
// Every boundary of a read is somewhere in a frame of one of them.
const pieces = Array.from({ length: Math.ceil(interleaved.length / 13) }, (_, i) => interleaved.subarray(13 * i, 13 * i + 13))
await stream.send(...pieces)
const echoes = await Promise.all([one, two].flatMap((sa) => [1, 2].map((sequence) => isEchoed(sa, sequence))))
const answers = await Promise.all([one, two].map((sa, i) => isAnswered(sa, asked[i])))
tell(echoes.every(Boolean), `interleaved in pieces of 13 octets, the pings of both are answered (${echoes})`)
tell(answers.every(Boolean), `and so are their empty INFORMATIONAL requests (${answers})`)

const deletion = one.ike.deleteRequest()
await stream.send(ikeFrame(deletion, LENGTH))
tell(await isAnswered(one, deletion), 'the Delete of the first is answered')
await stream.send(echo(one, 3), echo(two, 3))
const [gone, there] = await Promise.all([isEchoed(one, 3, 500), isEchoed(two, 3)])
tell(!gone && there, 'after it pings of the first are not answered, those of the second are, on the same connection')
tell(stream.closed === undefined, 'and the connection is open')

await stream.send(Buffer.from([0, 0, 0, 8, 0, 0, 0, 0]))
const closed = await stream.waitForClose(2_000)
tell(closed !== undefined, `what cannot be parsed closes it (${closed?.how})`)
const next = await Stream.open(target)
await next.send(echo(two, 4))
tell(await isEchoed(two, 4, 2_500, next), 'the second SA goes on upon another connection, with no prefix')
const last = two.ike.deleteRequest()
await next.send(ikeFrame(last, LENGTH))
tell(await isAnswered(two, last, next), 'and is deleted there')
next.close()
process.exit(failures === 0 ? 0 : 1)

function tell(isSo, what) {
  if (!isSo) failures++
  console.log(`${isSo ? 'ok' : 'FAIL'}  ${what}`)
}

function echo({ esp }, sequence) {
  return frame(esp.seal(echoRequest(esp.innerAddress, inner, sequence)), LENGTH)
}

/** By an ESP packet of this SA, and of no other. */
async function isEchoed({ esp }, sequence, wait = 2_500, on = stream) {
  const opens = (message) => {
    const packet = isIke(message) ? undefined : esp.open(message)
    return packet !== undefined && isEchoReply(packet, sequence)
  }
  return (await on.next(opens, wait)) !== undefined
}

async function isAnswered({ ike }, request, on = stream) {
  const { messageId } = parseHeader(request)
  const isAnswer = (message) => ike.owns(message) && parseHeader(message).isResponse && parseHeader(message).messageId === messageId
  const response = await on.ike(isAnswer, 2_500)
  return response !== undefined && ike.open(response) !== undefined
}
