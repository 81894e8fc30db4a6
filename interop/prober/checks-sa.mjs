// Checks that need an established SA: what is valid moves it, what is replayed or forged does not, and it outlives its
// connections (RFC 9329 §6.1, §6.2, §10). Same shape as in checks-stream.mjs.
import { setTimeout as sleep } from 'node:timers/promises'
import { unknownEsp } from './checks-stream.mjs'
import { isSynAck, tcpSyn } from './esp.mjs'
import { EXCHANGE, errorNotifies, IkeInitiator, parseHeader } from './ike.mjs'
import { describe, Session } from './session.mjs'
import { frame, ikeFrame, PREFIX } from './stream.mjs'

const established = (name, ids, expected, body, extra = {}) => ({
  name,
  ids,
  expected: [expected].flat(),
  ...extra,
  async run(target) {
    const session = await Session.establish(target)
    try {
      const observed = await body(session, target)
      return typeof observed === 'string' ? { observed, detail: describe(session.stream) } : observed
    } finally {
      await session.end()
    }
  },
})

const answeredOrNot = (isAnswered) => (isAnswered ? 'answered' : 'unanswered')

/** The connection was abused: is it closed, and does the SA go on upon a new one? */
async function fateOf(session, wait = 2_000) {
  const closed = await session.stream.waitForClose(wait)
  const fate = closed === undefined ? `open, ${answeredOrNot(await session.isAlive())}` : 'closed'
  return `${fate}; ${(await session.continuesOnNewConnection()) ? 'SA continues' : 'SA gone'}`
}

export const saChecks = [
  established('establish-and-echo', ['T-PFX-1', 'T-FRM-1'], 'echoed', async (session) => {
    await session.stream.send(session.echoFrame(1))
    return { observed: (await session.isEchoed(1)) ? 'echoed' : 'no-echo', detail: `inner address ${session.esp.innerAddress}` }
  }),
  established('two-requests-in-one-write', ['T-FRM-7'], 'both answered', async (session) => {
    const [first, second] = [session.ike.informational(), session.ike.informational()]
    await session.stream.send(Buffer.concat([ikeFrame(first), ikeFrame(second)]))
    return (await session.isAnswered(first)) && (await session.isAnswered(second)) ? 'both answered' : 'not both'
  }),
  established('ike-and-esp-in-one-write', ['T-FRM-7'], 'both answered', async (session) => {
    const request = session.ike.informational()
    await session.stream.send(Buffer.concat([session.echoFrame(2), ikeFrame(request), session.echoFrame(3)]))
    const all = (await session.isAnswered(request)) && (await session.isEchoed(2)) && (await session.isEchoed(3))
    return all ? 'both answered' : 'not both'
  }),
  established('keepalive-and-empty-mid-stream', ['T-KA-2', 'T-FRM-4'], 'answered', async (session) => {
    await session.stream.send(Buffer.from([0, 3, 0xff, 0, 2, 0, 3, 0xff]), 50)
    return answeredOrNot(await session.isAlive())
  }),
  established(
    'length-0-keeps-the-sa',
    ['T-FRM-5', 'T-LIFE-6'],
    'closed; SA continues',
    async (session) => {
      await session.stream.send(Buffer.from([0, 0]))
      return fateOf(session)
    },
    { libreswan: ['open, unanswered; SA continues'] },
  ),
  established('unknown-spi-a-few', ['T-LIFE-14'], 'answered', async (session) => {
    await session.stream.send(Buffer.concat([unknownEsp(1), unknownEsp(2), unknownEsp(3)]), 100)
    return answeredOrNot(await session.isAlive())
  }),
  established(
    'unknown-spi-many',
    ['T-LIFE-14', 'T-LIFE-13'],
    'closed; SA continues',
    async (session, target) => {
      await session.stream.send(Buffer.concat(Array.from({ length: target.manyUnknown }, (_, spi) => unknownEsp(spi))))
      return fateOf(session)
    },
    { libreswan: ['open, answered; SA continues'] },
  ),
  established(
    'esp-forged-icv',
    ['T-LIFE-13', 'T-LIFE-6'],
    'closed; SA continues',
    async (session) => {
      await session.stream.send(session.echoFrame(4, { tamper: true }))
      return fateOf(session)
    },
    { libreswan: ['open, answered; SA continues'] },
  ),
  established(
    'ike-forged-icv',
    ['T-LIFE-13', 'T-LIFE-6'],
    'closed; SA continues',
    async (session) => {
      await session.stream.send(ikeFrame(session.ike.informational({ messageId: session.ike.messageId + 1, tamper: true })))
      return fateOf(session)
    },
    { libreswan: ['open, answered; SA continues'] },
  ),
  established('esp-replayed-on-its-connection', ['T-LIFE-18'], 'dropped, answered', async (session) => {
    const packet = session.echoFrame(5)
    await session.stream.send(packet)
    if (!(await session.isEchoed(5))) return 'no-echo'
    const seen = session.stream.frames.length
    await session.stream.send(packet, 500)
    const repeated = session.stream.frames.slice(seen).length
    return `${repeated === 0 ? 'dropped' : 'echoed again'}, ${answeredOrNot(await session.isAlive())}`
  }),
  established(
    'ike-request-repeated',
    ['T-RTX-3'],
    'same response again',
    async (session) => {
      const request = session.ike.informational()
      await session.stream.send(ikeFrame(request))
      const first = await session.stream.ike((message) => parseHeader(message).messageId === parseHeader(request).messageId)
      const seen = session.stream.frames.length
      await session.stream.send(ikeFrame(request))
      const again = await session.stream.ike((message) => parseHeader(message).messageId === parseHeader(request).messageId, 2_500, seen)
      if (first === undefined || again === undefined) return 'unanswered'
      return first.equals(again) ? 'same response again' : 'another response'
    },
    { skipLibreswan: 'a repeated request on a live connection kills pluto 4.10' },
  ),
  established(
    'outstanding-request-on-a-new-connection',
    ['T-RTX-2', 'T-PFX-6'],
    'answered',
    async (session) => {
      const request = session.ike.informational()
      const whole = ikeFrame(request)
      await session.stream.send(whole.subarray(0, 20), 100)
      await session.redial(whole)
      return answeredOrNot(await session.isAnswered(request))
    },
    { skipLibreswan: 'pluto 4.10 answers on the dead connection and closes the new one' },
  ),
  established('first-message-after-redial', ['T-LIFE-12', 'T-LIFE-7', 'T-PFX-6'], 'answered, echoed', async (session) => {
    // UPDATE_SA_ADDRESSES where MOBIKE was negotiated, an empty INFORMATIONAL where it was not.
    const isAnswered = session.ike.peerHasMobike ? await session.movesByMobike() : await session.continuesOnNewConnection()
    await session.stream.send(session.echoFrame(12))
    const observed = `${answeredOrNot(isAnswered)}, ${(await session.isEchoed(12)) ? 'echoed' : 'no-echo'}`
    return { observed, detail: session.ike.peerHasMobike ? 'UPDATE_SA_ADDRESSES' : 'no MOBIKE: an empty INFORMATIONAL' }
  }),
  established('half-a-frame-then-reset', ['T-LIFE-9', 'T-LIFE-4'], 'answered', async (session) => {
    await session.stream.send(session.echoFrame(6).subarray(0, 30), 100)
    return answeredOrNot(await session.continuesOnNewConnection())
  }),
  established('reset-and-continue', ['T-LIFE-4', 'T-LIFE-6', 'T-LIFE-7', 'T-PFX-6'], 'answered, echoed', async (session) => {
    const isAnswered = await session.continuesOnNewConnection()
    await session.stream.send(session.echoFrame(7))
    return `${answeredOrNot(isAnswered)}, ${(await session.isEchoed(7)) ? 'echoed' : 'no-echo'}`
  }),
  established('fin-and-continue', ['T-LIFE-4', 'T-PFX-6'], 'answered, echoed', async (session) => {
    session.stream.socket.end()
    await session.stream.waitForClose(1_000)
    const isAnswered = await session.continuesOnNewConnection()
    await session.stream.send(session.echoFrame(8))
    return `${answeredOrNot(isAnswered)}, ${(await session.isEchoed(8)) ? 'echoed' : 'no-echo'}`
  }),
  established(
    'reset-and-continue-with-esp-alone',
    ['T-LIFE-11', 'T-LIFE-18'],
    'echoed',
    async (session) => {
      await session.redial(session.echoFrame(9))
      return (await session.isEchoed(9)) ? 'echoed' : 'no-echo'
    },
    { skipLibreswan: 'the kernel moves nothing, and pluto 4.10 hears no IKE message to move it by' },
  ),
  established('second-connection-without-prefix', ['T-PFX-5'], 'ignored, window unchanged', async (session) => {
    const stream = await session.connect()
    const request = session.ike.informational()
    await stream.send(ikeFrame(request))
    const heard = (await session.isAnswered(request, stream, 1_500)) ? 'processed' : 'ignored'
    await session.stream.send(ikeFrame(request))
    return {
      observed: `${heard}, window ${(await session.isAnswered(request)) ? 'unchanged' : 'moved'}`,
      detail: `second: ${describe(stream)}`,
    }
  }),
  established(
    'second-ike-sa-on-one-connection',
    ['T-LIFE-10'],
    'refused',
    async (session, target) => {
      const other = new IkeInitiator({ ...target, id: target.id })
      await session.stream.send(ikeFrame(other.initRequest(session.stream.local, session.stream.remote)))
      const isAnswered = (await session.stream.ike((message) => other.owns(message) && message[16] === 33, 1_500)) !== undefined
      return isAnswered ? 'accepted' : 'refused'
    },
    { libreswan: ['accepted', 'refused'] },
  ),
  established(
    'invalid-syntax-inside',
    ['T-LIFE-15'],
    ['INVALID_SYNTAX, connection open'],
    async (session) => {
      // The inner payload claims more octets than there are.
      const request = session.ike.request(EXCHANGE.INFORMATIONAL, [[41, Buffer.from([0, 0xff, 0, 0])]])
      await session.stream.send(ikeFrame(request))
      const response = await session.stream.ike((message) => parseHeader(message).messageId === parseHeader(request).messageId)
      const notifies = response === undefined ? [] : errorNotifies(session.ike.open(response))
      const state = session.stream.closed === undefined ? 'open' : 'closed'
      return `${notifies.includes(7) ? 'INVALID_SYNTAX' : `N(${notifies.join(', ')})`}, connection ${state}`
    },
    { libreswan: ['INVALID_SYNTAX, connection open', 'N(), connection open', 'N(), connection closed'] },
  ),
  path('replay-on-a-new-connection', ['T-LIFE-18'], async (session, stream, [esp, ike]) => {
    // A repeated IKE request kills pluto 4.10: of Libreswan only the ESP half is asked.
    await stream.send(Buffer.concat([PREFIX, esp, session.target.resume === 'mobike' ? Buffer.alloc(0) : ike]))
  }),
  path('forged-on-a-new-connection', ['T-LIFE-21', 'T-LIFE-18'], async (session, stream) => {
    await stream.send(Buffer.concat([PREFIX, session.echoFrame(11, { tamper: true })]))
  }),
  established('delete', ['T-LIFE-1', 'T-LIFE-3'], 'answered', async (session) => {
    const request = session.ike.deleteRequest()
    await session.stream.send(ikeFrame(request))
    const isAnswered = await session.isAnswered(request)
    const closed = await session.stream.waitForClose(1_500)
    return {
      observed: answeredOrNot(isAnswered),
      detail: closed === undefined ? 'connection still open after 1.5 s' : describe(session.stream),
    }
  }),
]

/**
 * Where the responder sends, seen without saying anything valid: a SYN through the tunnel is answered at once and again
 * 1 and 3 s later. After the first answer `abuse` acts on a second connection; the next answer must still come on the
 * first. Then a valid packet is sent on the second, and the answer after that must come there.
 */
function path(name, ids, abuse) {
  const body = async (session, target) => {
    const port = 20_000 + Math.floor(Math.random() * 30_000)
    const syn = frame(session.esp.seal(tcpSyn(session.esp.innerAddress, target.inner, port, target.innerPort)))
    const request = session.ike.informational()
    const old = session.stream
    await old.send(Buffer.concat([ikeFrame(request), syn]))
    const synAcks = (stream) => stream.frames.filter((message) => session.innerPacket(message, (packet) => isSynAck(packet, port))).length
    if (!(await session.isAnswered(request))) return 'unanswered'
    const isAnswered = await old.next((message) => session.innerPacket(message, (packet) => isSynAck(packet, port)), 900)
    if (isAnswered === undefined) return 'no-syn-ack'
    const next = await session.connect()
    await abuse(session, next, [syn, ikeFrame(request)])
    const before = synAcks(old)
    await sleep(1_300)
    const moved = synAcks(next) > 0 ? 'moved by it' : synAcks(old) > before ? 'stays' : 'lost'
    const valid = await connectionFor(session, next)
    const { local, remote } = valid
    const fresh = target.resume === 'mobike' ? session.ike.updateSaAddresses(local, remote) : session.ike.informational()
    await valid.send(Buffer.concat([valid === next ? Buffer.alloc(0) : PREFIX, ikeFrame(fresh), session.echoFrame(10)]))
    await session.isAnswered(fresh, valid, 1_000)
    session.others.push(session.stream)
    session.stream = valid
    const onNew = synAcks(valid)
    await sleep(2_300)
    const follows = synAcks(valid) > onNew ? 'valid moves it' : 'valid does not move it'
    return { observed: `${moved}, ${follows}`, detail: `second: ${describe(next)}` }
  }
  // A responder may answer the replay or the forgery by closing that connection.
  const connectionFor = (session, stream) => (stream.closed === undefined ? stream : session.connect())
  return established(name, ids, 'stays, valid moves it', body, {})
}
