// The example exchanges, as what is to pass in which order, and a run that passed as a figure in the form of RFC 9329 Appendix B.

const TCP_OPENING = ['client TcpSyn', 'server TcpSyn,Ack', 'client TcpAck']
const TICKETS = ['server {NewSessionTicket}', 'server {NewSessionTicket}']
const TLS_FULL = [
  'client ClientHello',
  'server ServerHello',
  'server {EncryptedExtensions}',
  'server {Certificate}',
  'server {CertificateVerify}',
  'server {Finished}',
  'client {Finished}',
  ...TICKETS,
]
const TLS_RESUMED = ['client ClientHello', 'server ServerHello', 'server {EncryptedExtensions}', 'server {Finished}', 'client {Finished}']
const NAT_DETECTION = 'N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)'
const IKE_SA_INIT = [`client IKE_SA_INIT SAi1 KEi Ni ${NAT_DETECTION}`, `server IKE_SA_INIT SAr1 KEr Nr ${NAT_DETECTION}`]
const IKE_AUTH = ['client IKE_AUTH IDi IDr AUTH CP(CFG_REQUEST) SAi2 TSi TSr', 'server IKE_AUTH IDr AUTH CP(CFG_REPLY) SAr2 TSi TSr']
const UPDATE = `client INFORMATIONAL N(UPDATE_SA_ADDRESSES) ${NAT_DETECTION}`
const UPDATED = `server INFORMATIONAL ${NAT_DETECTION}`
const DELETE = ['client INFORMATIONAL D', 'server INFORMATIONAL']
const ESP = ['client ESP', 'server ESP']
const CLOSING_TLS = ['client close_notify', 'server close_notify']
const CLOSING_TCP = ['client TcpFin', 'server Ack', 'server TcpFin', 'client Ack']

/**
 * The steps have the numbers and the titles of the RFC. `expects`: who sends what, in the order in which it stands there; behind the name what
 * has to be inside, more may be. `layer`: 'transport' for what the session knows nothing of. `sameAs`: the step whose message it repeats, octet
 * by octet; `differsFrom`: one whose message it must not be.
 */
export const EXAMPLES = {
  'B.1': [
    { title: 'TCP Connection', layer: 'transport', expects: TCP_OPENING },
    { title: 'TLS Session', layer: 'transport', expects: TLS_FULL },
    { title: 'Stream Prefix', expects: ['client prefix'] },
    { title: 'IKE Session', expects: [...IKE_SA_INIT, ...IKE_AUTH] },
    { title: 'IKE and IPsec SAs Established', isAside: true, expects: ESP },
  ],
  'B.2': [
    { title: 'IKE Session', expects: DELETE },
    { title: 'TLS Session', layer: 'transport', expects: CLOSING_TLS },
    { title: 'TCP Connection', layer: 'transport', expects: CLOSING_TCP },
    { title: 'IKE SA Deleted', isAside: true, expects: [] },
  ],
  'B.3': [
    { title: 'TCP Connection', layer: 'transport', expects: TCP_OPENING },
    { title: 'TLS Session', layer: 'transport', expects: TLS_RESUMED, isResumed: true },
    { title: 'Stream Prefix', expects: ['client prefix'] },
    { title: 'IKE/ESP Flow', isFlow: true, expects: [UPDATE, UPDATED, ...ESP] },
  ],
  'B.4': [
    { title: 'IKE_session', expects: [...IKE_SA_INIT, ...IKE_AUTH.map((one) => `${one} N(MOBIKE_SUPPORTED)`)] },
    { title: 'IKE/ESP Flow', isFlow: true, isAside: true, expects: ESP },
    { title: 'MOBIKE Attempt on New Network', expects: [UPDATE] },
    { title: 'TCP Connection', layer: 'transport', expects: TCP_OPENING },
    { title: 'TLS Session', layer: 'transport', expects: TLS_FULL },
    { title: 'Stream Prefix', expects: ['client prefix'] },
    { title: 'Retransmit Message from step 2', sameAs: 'MOBIKE Attempt on New Network', expects: [UPDATE, UPDATED] },
    {
      title: 'New Exchange with recalculated NAT_DETECTION_*_IP',
      differsFrom: 'MOBIKE Attempt on New Network',
      expects: [UPDATE, UPDATED],
    },
    { title: 'IKE/ESP Flow', isFlow: true, expects: ESP },
  ],
  'pauly-03': [
    { title: 'TCP Connection', layer: 'transport', expects: TCP_OPENING },
    { title: 'TLS Session', layer: 'transport', expects: TLS_FULL },
    { title: 'First IKE Session', expects: [...IKE_SA_INIT, ...IKE_AUTH, ...ESP] },
    { title: 'Second IKE Session, same connection', expects: [...IKE_SA_INIT, ...IKE_AUTH, ...ESP] },
    { title: 'First IKE Session Deleted', expects: DELETE },
    { title: 'IKE/ESP Flow of the Second', isFlow: true, expects: ESP },
    { title: 'Second IKE Session Deleted', expects: DELETE },
    { title: 'TLS Session', layer: 'transport', expects: CLOSING_TLS },
    { title: 'TCP Connection', layer: 'transport', expects: CLOSING_TCP },
  ],
}

/**
 * Events in the order in which they passed → the figure. Throws where something else passed, or in another order. `layers`: 'session' for
 * events of a run that has nothing below it.
 */
export function figureOf(example, events, layers = 'all') {
  const steps = EXAMPLES[example].filter(({ layer }) => layers === 'all' || layer !== 'transport')
  const taken = distribute(example, steps, inOrder(withoutRepetitions(events)))
  checkRepetitions(example, steps, taken)
  const names = addressNames(events)
  let number = 0
  let way = ''
  const lines = []
  for (const [i, step] of steps.entries()) {
    const label = step.isAside || layers === 'session' ? '' : `${++number})`
    lines.push(`     ${label.padEnd(4)}${rule(step)}`)
    for (const [j, event] of taken[i].entries()) {
      const next = layers === 'all' && isBeginning(event) ? wayOf(event, names) : way
      if (next !== way) {
        way = next
        lines.push(`         ${way}`)
      }
      lines.push(...wordsOf(event, taken[i][j + 1]))
    }
  }
  return lines.map((line) => line.trimEnd()).join('\n')
}

/** A figure without what the session knows nothing of: as `figureOf` makes it of a run that has nothing below it. */
export function sessionPartOf(example, figure) {
  const hidden = EXAMPLES[example].filter(({ layer }) => layer === 'transport').map(rule)
  const kept = []
  let isHidden = false
  for (const line of figure.split('\n')) {
    const isRule = /^ {5}(\d\) {2}| {4})<?---/.test(line)
    if (isRule) isHidden = hidden.includes(line.slice(9))
    if (isHidden || /^ {9}\(IP_/.test(line)) continue
    kept.push(isRule ? `         ${line.slice(9)}` : line)
  }
  return kept.join('\n')
}

/** Of what one side sent again, unchanged and by the same way, the first. */
function withoutRepetitions(events) {
  const kept = []
  for (const event of events) {
    const before = kept.at(-1)
    const isAgain = event.kind === 'ike' && before?.octets === event.octets && before.transport === event.transport
    if (isAgain) kept[kept.length - 1] = { ...before, isRepeated: true }
    else kept.push(event)
  }
  return kept
}

/**
 * What the two directions have to do with each other only below: the server's tickets belong to TLS, however late they come, and at the end
 * TLS stands before TCP. The order of each side within its layer stays as it was.
 */
function inOrder(events) {
  const rankOf = ({ kind, name }) => (name === 'close_notify' ? 3 : kind === 'tcp' && /Fin|^Ack$/.test(name) ? 4 : 2)
  const tickets = events.filter(({ name }) => name === '{NewSessionTicket}')
  const finished = events.findLastIndex(({ kind, side, name }) => kind === 'tls' && side === 'client' && name === '{Finished}')
  const others = events.filter((event, i) => i > finished && !tickets.includes(event))
  const all = [...events.slice(0, finished + 1), ...tickets, ...others]
  for (const side of ['client', 'server']) checkClosing(events.filter((event) => event.side === side))
  return all
    .map((event, i) => ({ event, i }))
    .sort((a, b) => rankOf(a.event) - rankOf(b.event) || a.i - b.i)
    .map(({ event }) => event)
}

/** RFC 9329 Appendix B.2: close_notify, then FIN. */
function checkClosing(events) {
  const [closed, finished] = ['close_notify', 'TcpFin'].map((name) => events.findIndex((event) => event.name === name))
  if (finished >= 0 && !(closed >= 0 && closed < finished)) throw new Error(`${events[finished].side}: FIN without close_notify before it`)
}

function distribute(example, steps, events) {
  let at = 0
  const taken = steps.map(({ title, expects, isResumed }) =>
    expects.map((expected) => {
      const event = events[at++]
      const [side, name, ...inside] = expected.split(' ')
      const words = event === undefined ? [] : [event.side, nameOf(event)]
      if (words[0] !== side || words[1] !== name || !inside.every((payload) => hasPayload(event.text, payload)))
        throw new Error(
          `${example}, "${title}": expected ${expected}; what passed is ${event ? `${words.join(' ')} ${event.text ?? ''}` : 'nothing'}`,
        )
      if (name === 'ServerHello' && (event.isResumed ?? false) !== (isResumed ?? false))
        throw new Error(`${example}, "${title}": the TLS session is ${event.isResumed ? '' : 'not '}resumed`)
      return event
    }),
  )
  if (at < events.length) throw new Error(`${example}: ${events[at].side} ${nameOf(events[at])} passed, too`)
  return taken
}

function checkRepetitions(example, steps, taken) {
  const messageOf = (title) => taken[steps.findIndex((step) => step.title === title)][0].octets
  for (const { title, sameAs, differsFrom } of steps) {
    if (sameAs && messageOf(title) !== messageOf(sameAs)) throw new Error(`${example}: "${title}" has another message than "${sameAs}"`)
    if (differsFrom && messageOf(title) === messageOf(differsFrom)) throw new Error(`${example}: "${title}" repeats "${differsFrom}"`)
  }
}

function nameOf({ kind, name, exchange }) {
  if (kind === 'ike') return exchange
  if (kind === 'esp') return 'ESP'
  return name ?? kind
}

function hasPayload(text, payload) {
  return text.split(/[{},]/).some((word) => word.trim() === payload)
}

/** The columns of the RFC's figures. */
const LEFT = 9
const ARROW = 34
const RIGHT = 66
const LONGEST_LINE = 40

/** `next`: the event behind it in the same step. */
function wordsOf(event, next) {
  const [first, ...rest] = blockOf(event)
  if (event.side === 'client')
    return [`${' '.repeat(LEFT)}${first.padEnd(ARROW - LEFT)}------->`, ...rest.map((line) => ' '.repeat(LEFT) + line)]
  // Of a flight of TLS the last has the arrow.
  const isWithinFlight = event.kind === 'tls' && next?.kind === 'tls' && next.side === event.side
  const arrow = `${' '.repeat(ARROW)}${isWithinFlight ? ' '.repeat(8) : '<-------'}`
  return [arrow + first.padStart(RIGHT - arrow.length), ...rest.map((line) => line.padStart(RIGHT))]
}

function blockOf(event) {
  const { kind, transport, hasMarker, exchange, text, name, isRepeated, isResumed } = event
  if (kind === 'prefix') return ['"IKETCP"']
  if (kind === 'esp') return [transport === 'stream' ? 'Length + ESP Frame' : 'ESP Frame']
  if (kind !== 'ike') return [isResumed ? `${name} (resumed)` : name]
  const marker = transport === 'stream' ? ['Length + Non-ESP Marker'] : hasMarker ? ['Non-ESP Marker'] : []
  return [...marker, exchange, ...wrapped(text), ...(isRepeated ? ['(repeated, unanswered)'] : [])]
}

function wrapped(text) {
  const lines = ['']
  for (const word of text.split(/(?<=, )/)) {
    if (lines.at(-1) !== '' && (lines.at(-1) + word).trimEnd().length > LONGEST_LINE) lines.push('')
    lines[lines.length - 1] += word
  }
  return lines.map((line) => line.trimEnd())
}

function rule({ title, isFlow }) {
  const free = RIGHT - LEFT - title.length - 2
  const left = Math.ceil(free / 2)
  if (isFlow) return `<${'-'.repeat(left - 2)}> ${title} <${'-'.repeat(free - left - 2)}>`
  return `${'-'.repeat(left)} ${title} ${'-'.repeat(free - left)}`
}

/** Where the RFC says by which way it goes: with a new connection, and of datagrams. */
function isBeginning({ side, name, transport }) {
  return side === 'client' && (name === 'TcpSyn' || transport === 'udp')
}

/** '(IP_I1:Port_I -> IP_R:UDP4500)', as the RFC has it. */
function wayOf({ from, to, transport }, names) {
  return `(${names.get(from.address)}:Port_I -> IP_R:${transport === 'udp' ? `UDP${to.port}` : 'Port_R'})`
}

function addressNames(events) {
  const addresses = [...new Set(events.map(({ side, from, to }) => (side === 'client' ? from : to)?.address))]
  return new Map(addresses.map((address, i) => [address, addresses.length > 1 ? `IP_I${i + 1}` : 'IP_I']))
}
