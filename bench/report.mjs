// `node bench/report.mjs`: docs/performance.md out of the newest results.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tools/runtimes.mjs'
import { comingUpText } from './lib/coming-up-figures.mjs'
import { charts } from './lib/comparisons.mjs'
import { repairText } from './lib/repair-figures.mjs'
import { newest } from './lib/results.mjs'
import { asMarkdown, tables } from './lib/tables.mjs'
import { digits } from './lib/words.mjs'

const SECTIONS = [
  {
    name: 'throughput',
    title: 'Throughput, beside others',
    text: (run) =>
      `iperf3 from one network namespace to another over a veth pair, through each contender: one flow from client to gateway, one the other way
("reverse"), eight together. In each round everybody is started, measured and stopped in turn; ${run.seconds} s a flow, after a first second that is not
counted. Both ends, both iperf3 and the veth share this machine's cores, which is what limits all of them here: a real client or gateway has only
one of the two ends to run.

- **CPU s a GB**: seconds of a core for 10^9 octets that arrived, of the contender's own processes, both ends together, user and system time, as
  /proc/PID/stat counts them. What the kernel does for a packet on their behalf is in there; iperf3 and the kernel's own threads are not.
- **Whole machine**: everything that /proc/stat counts as busy meanwhile: iperf3, interrupts, the kernel's threads, and whoever else was at work.
- **Underpass**: the programs \`underpass\` and \`underpass-gateway\` with libipsec-mb's AES-GCM where that is installed (1.3 here) and libcrypto for
  the rest, one process each; AES-256-GCM unless another cipher is named.
  Over TCP frames of at most 1,400 octets (inner MTU 1,362), over UDP IP packets of 1,400 (inner MTU 1,338). "Large MTU": 65,498, the longest
  inner packet whose ESP packet fits the 16-bit Length of a frame (RFC 9329 §3); it is for two ends of ours.
- **TLS over TCP** of ours: the same stream in TLS 1.3 (AES-256-GCM, so that every octet is encrypted twice), by libssl and libipsec-mb ([decision 20](decisions/0020-tls-by-libssl.md)). \`tlsToTcp\` in
  the JSON is one flow's rate to that without TLS; wanted is 0.65 and more.
- **The others** as Debian packages them, with their own defaults for the MTU; TCP's congestion control is ${run.congestionControl ?? "the machine's own"}. OpenVPN: AES-256-GCM, TCP, point to point,
  without Nagle's delay (with it, half as much), no kernel offload. openconnect and ocserv: TLS over TCP, no DTLS. wireguard-go: UDP, no kernel
  module. strongSwan: kernel-libipsec, ESP in UDP, AES-256-GCM.
- **The link**: a veth pair hands on TCP segments, and UDP datagrams that were given to it together (UDP_SEGMENT), uncut. Whoever uses that gains by it
  here; a network card would cut them. Debian's wireguard-go and strongSwan give every datagram by itself.
- **On a core each**: the process at the client's end stays on one core and that at the gateway's on the other, ours by their key \`cpus\`, others by taskset(1); iperf3
  stays where the kernel has it. Measured for our large MTU and the peers over TCP; ratios take the better of both.
- **Of the best peer** compares one flow with the quickest of the others.

${peers(run)}`,
  },
  {
    name: 'packets',
    title: 'Small packets, beside others',
    text: (run) =>
      `UDP datagrams of ${run.octets} octets a second that go from client to gateway with at most ${run.loss * 1000} in 1,000 lost: the rate is doubled until it is not held in
three tries of ${run.seconds} s, then closed in to 5 %. The datagrams come from sendmmsg(2) in batches of 32. "Or more": the sender could offer no more.

${peers(run)}`,
  },
  {
    name: 'latency',
    title: 'Latency, beside others',
    text: (run) =>
      `Round trips of ping, ${run.perSecond} a second for ${run.idleSeconds} s: idle, and for ${run.loadedSeconds} s beside one TCP flow that fills the link, which tbf limits to ${run.rate}/s both ways, with
room for ${
        run.queue === undefined
          ? '50 ms'
          : `${run.queue.octets} octets (${run.queue.milliseconds} ms); what is beyond is dropped. The bare link's row shows that queue alone, so what somebody's pings take beyond it they wait
in his own queues: the socket, the program, the TUN's`
      }. Percentiles are those of a round. With the large MTU a ping may wait behind packets of 64 kB: 10 ms each at this rate.
TCP, outer and inner, is CUBIC by the routes (\`congctl\`); the last column is what ss(8) said of both beside the flow.

${peers(run)}`,
  },
  {
    name: 'loss',
    title: 'TCP through a link that loses packets',
    text: (run) =>
      `Goodput of one TCP flow (iperf3) through a link of ${run.megabits} Mbit/s: by itself, inside our TCP and UDP tunnels, and inside OpenVPN's TCP tunnel.
In brackets: of plain TCP's under the same conditions. Inner and outer TCP use the congestion control of the row: set by route, and checked with
ss(8) beside each flow, which counts for nothing otherwise.
All carriers of a condition are up at the same time, and are measured one after the other; several conditions are measured at once, each by ends and a link of their own.

| At 3 % and 40 ms, CUBIC | |
|---|---|
| Helped | at least 8 KiB unsent in the socket (5 points of plain TCP's goodput); inner packets of 9,000 octets (10); CoDel that knows how long a packet is (5); BBR outside (25 times); [several connections](#several-connections-through-a-link-that-loses-packets) for several flows (four times with four) |
| Did not | longer queues or none, more unsent octets (delay for others), \`MSG_MORE\`, \`TCP_QUICKACK\` |

How that was found is in [decision 14](decisions/0014-tcp-over-a-link-that-loses.md).

- **How long**: ${lossTimes(run)}
- **The link** is bench/lib/link-emulator.mjs, a process between two TUN devices of 1,500 octets, not netem: each direction has the rate, a
  queue of one bandwidth-delay product (rate × round trip) that drops what finds it full, losses behind the queue, and half of the round trip as
  delay. Order is kept; packets are handed on once a millisecond. Both directions lose. Before each condition it is checked with UDP: its loss,
  delay and rate as measured are in the JSON (\`checks\`).
- **Losses**: "random" are independent; "bursty" are those of Gilbert and Elliott: bad spells of ${run.burst?.packets} packets in the mean, which lose
  ${100 * run.burst?.share} % of them${run.burst?.milliseconds === undefined ? '' : `; after ${run.burst.milliseconds} ms without a packet it is drawn anew whether it is one`}. The sequences are fixed: of random losses everybody meets the same.
- **One way, 99th percentile**: of a UDP datagram each 10 ms beside the flow, in the order of the columns. The JSON also has other percentiles,
  what was lost, and \`burst\`: octets that arrive at the inner device in a millisecond.
- **TCP connections over time**: one more flow from its first octet on, its sending end and the tunnel's outer one seen by ss(8) ten times a
  second: what the losses do to the outer window, and what the inner flow, which sees delay instead of losses, makes of it. The samples are in the JSON.
- **What arrives behind the tunnel**: packets that come out less than 0.5 ms apart are a burst. "After an outer retransmission": out of the
  tunnel within 2 ms after a segment arrived that had been sent again, which is what waited for it; "silence" is how long nothing had come out.

${peers(run)}`,
  },
  {
    name: 'connections',
    title: 'Several connections through a link that loses packets',
    text: (run) =>
      `${run.flows} TCP flows (iperf3) at the same time on a link of ${run.megabits} Mbit/s and ${run.roundTrip} ms, random losses each way, ${run.control?.toUpperCase()} inside and outside: by
themselves, in one tunnel over one TCP connection, and in a tunnel each: an IKE SA, a Child SA and a TCP connection for each flow, of a client and a gateway
of its own. What all of them carry together: the mean of the rounds, the least and the most, ${run.seconds} s each; in brackets of plain TCP's. In one connection all flows share
one congestion window, and a loss holds all of them up; each further connection has a window of its own, as the flows would have without a tunnel.`,
  },
  {
    name: 'thinning',
    title: 'Fewer acknowledgements on a slow way back',
    text: (run) =>
      `Goodput of one TCP flow (iperf3, ${run.control?.toUpperCase()}) on a link of ${run.megabits} Mbit/s there and less back, ${run.roundTrip} ms and no losses: by
itself, in our tunnel, in our tunnel with \`[tcp] thin_acks = true\` at both ends, and in OpenVPN's. ${run.seconds} s each. Of acknowledgements that wait behind each
other for the outer connection only the last is sent then (RFC 3449 §5.2.1); by default all are.

${peers(run)}`,
  },
  { name: 'coming-up', title: 'From the start to the first ping', text: (run) => `${comingUpText(run)}\n\n${peers(run)}` },
  { name: 'repair', title: 'A tunnel that is cut', text: (run) => `${repairText()}\n\n${peers(run)}` },
  {
    name: 'overhead',
    title: 'Octets around a packet',
    text: (run) =>
      `What is added to an inner packet, up to and with the outer IP header. ESP's octets and the frame's are what \`EspOutbound.overhead\` and
\`espFrameOverhead\` say; TCP's header is 32 octets with timestamps, UDP's 8. "Alone": each packet in a segment of its own. "In full segments":
its share of the headers where TCP fills segments of a link of 1,500 octets; TCP's own acknowledgements of the other way are not counted. Measured: UDP through
real tunnels, counted by the outer device with segmentation left to the kernel's software: ${run.alone?.count} packets ${run.alone?.milliseconds} ms apart, and
${run.bulk?.perSecond.toLocaleString('en-US')} a second, of which a batch that is written together shares segments. Extended sequence numbers add nothing: their upper half is not sent
(RFC 4303 §2.2.1). AES-CBC pads to 16 octets, the others to 4. TLS around the stream adds 22 octets a record (TLS 1.3, 16-octet tag).`,
  },
  {
    name: 'scale',
    title: 'Many clients',
    text: (run) =>
      `The program \`underpass-gateway\`, one process, with clients over TCP: real sockets, a TUN device, a shared secret, a leased address and a Child SA
each. The clients are one process on the same machine, whose cores it takes part in. At each number of clients: what one more handshake costs
the gateway in CPU time, one after another; how long such a client waits, from connect to its Child SA; and what a ping of 64 octets costs there
and back, from all clients in turn. "Resident set" is the gateway process's; the kernel's sockets are not in it; "octets a client" is what its heap
and what hangs from it have grown by, after a garbage collection.

A client is back when a ping of its has been answered again. Three ways to lose all at once: \`ss -K\` on the gateway's side ends every connection;
the same, and for a while every new one is refused, which is what clients see of a listener that is closed and opened again; and SIGKILL,
after which the SAs are gone, too, and each client needs a handshake. Seconds count from the first loss. Cut and listener: the median of ${
        run.repeats ?? 'several'
      } times.`,
  },
  {
    name: 'workers',
    title: 'Two workers beside one',
    text: (run) =>
      `The program \`underpass-gateway\` with \`workers = 2\`, and with one. ${run.clients} clients, spread evenly over the workers, each with a real handshake and a flow of its own; ESP comes in,
TCP segments of ${run.size} octets go out into a TUN device and from there to nobody. What is counted is what the TUN device counts.

The load has to live on the same ${run.cores} cores. So the clients seal all they will send beforehand, into files in memory (${digits(run.octets / 1e9)} GB in all), and then
only hand the files to their sockets (sendfile(2)): real IKE, real ESP, at a small part of a client's cost. Over UDP they send some 45 datagrams
with one call (UDP_SEGMENT), and no more than the gateway has shown to take; nothing may be lost, and over TCP nothing is. In "load" is also what the kernel does for
the gateway's sockets while it sends on the load's behalf (a veth pair has no interrupts of its own). "Gateway" is all threads of the process,
with the kernel's work for them: TCP, the TUN device, the forwarding. One worker on one core shares it with the load.`,
  },
  {
    name: 'pauses',
    title: 'Pauses and allocations',
    text: (run) =>
      `One TCP flow (iperf3) at full rate for ${run.seconds} s through client and gateway on Node, with V8's own record of each garbage collection at both ends
(\`v8.GCProfiler\`; the heap between two collections gives what was allocated). The functions are from V8's sampling heap profiler, over ${run.samplingSeconds} s of
their own. A packet is a full segment; the acknowledgements that come back are not counted, but what they cost is. On two cores with four busy
processes on them a pause is also what a thread of the collector waits for a core.`,
  },
  {
    name: 'core',
    title: 'The core alone',
    text: () =>
      `Two \`SessionManager\`s in one thread, no sockets and no device: TUN → SPD → seal → frame → deframe → open → selectors → TUN. A packet costs both
ends together, so that one end does about twice this. "no cipher" encrypts nothing: what is left is everything but the cipher. "Batch" is the
packets of one TUN wake-up. Allocation is what a packet leaves to the garbage collector at both ends together: short-lived views and, in the
batch's share, the objects of an input and its outputs; array buffers are copies of octets that somebody kept.`,
  },
  {
    name: 'esp',
    title: 'ESP',
    text: () =>
      '`EspOutbound` and `EspInbound`: packets in a CPU second of one thread, copied from buffer to buffer. `noble` is pure TypeScript and runs everywhere; `node` is node:crypto; `openssl` is libcrypto by FFI, `ipsec-mb` is libipsec-mb; the programs choose the last of them that loads.',
  },
  {
    name: 'deframer',
    title: 'Deframer',
    text: () =>
      'Frames out of chunks of 64 kB that are cut anywhere. A frame is found, not read or copied, unless a chunk cuts it: hence the Gbit/s.',
  },
  {
    name: 'handshakes',
    title: 'Handshakes',
    text: () =>
      `IKE_SA_INIT and IKE_AUTH with a shared secret, a leased address and a Child SA, between two cores over TCP in memory; AES-256-GCM,
HMAC-SHA2-256, key exchanges by node:crypto. They have no sockets: what a handshake costs a whole gateway is in "Many clients". "Alone" counts the CPU time of that core and its key exchanges. strongSwan: two whole daemons,
sockets, SAs and routes in the kernel included, without a leased address; its client's share includes being told of its connections.`,
  },
  {
    name: 'ike',
    title: 'What handshakes are made of',
    text: () => 'Operations in a CPU second. The programs use `node` for key exchanges; all else of IKE is `noble`.',
  },
  {
    name: 'memory',
    title: 'Memory',
    text: () =>
      `What one more idle client costs a gateway's core: its connection, IKE SA, Child SA and lease, after a garbage collection. Replay window
1,024. The client's ends are gone by then. Heap and outside the heap are medians over steps of the growth; the resident set is the growth of the whole process,
which also says what malloc and the collector keep, and holds libcrypto's contexts. The runtime's socket is not in it.`,
  },
  {
    name: 'tun',
    title: 'Devices alone',
    text: () =>
      'Written to one device in batches of 128, forwarded by the kernel, read from another, all in one thread. µs of CPU cover the write, the forwarding and the read. TCP is segmented and coalesced where the device has offloads.',
  },
]

const results = SECTIONS.map((section) => ({ ...section, result: newest(section.name) })).filter(({ result }) => result !== undefined)
if (results.length === 0) {
  console.error('No results yet: npm run bench')
  process.exit(1)
}
const page = [head(), ...results.map(section), '## Repeating it', repeat()].join('\n\n')
writeFileSync(join(root, 'docs/performance.md'), `${page}\n`)
console.log('docs/performance.md')

function head() {
  const { versions } = results[0].result
  const runtimes = ['node', 'bun', 'deno']
    .filter((name) => name in versions)
    .map((name) => `${name[0].toUpperCase()}${name.slice(1)} ${versions[name]}`)
  const loads = results.flatMap(({ result }) => [result.load.before, result.load.after])
  const dates = [...new Set(results.map(({ result }) => result.date.slice(0, 10)))].sort()
  const [from, to] = [Math.min(...loads), Math.max(...loads)]
  const busy = results.filter(({ result }) => (result.load.atStart ?? result.load.before) > result.machine.cores).map(({ title }) => title)
  const machines = new Set(results.map(({ result }) => machineOf(result)))
  return `# Performance

Measured, not promised. Generated by \`node bench/report.mjs\` from [bench/results](../bench/results); do not edit.

| | |
|---|---|
| Date | ${dates.join(', ')} |
| Machine | ${[...machines].join('; or ')} |
| Versions | Underpass ${versions.underpass}; ${runtimes.join(', ')}; OpenSSL ${versions.openssl} |
| Load average | ${from} to ${to} during the runs |

${busy.length > 0 ? `**The load was above the number of cores** when ${busy.join(' and ')} began, from the one before it or from others on the machine: figures a second by the clock may be lower than they could be, and spread. ` : ''}A figure is the median of several rounds
(how many, its section tells at its end where it is not always the same), with the smallest and the largest in brackets; the cases of a benchmark take turns within a round. "In a CPU second" divides by the CPU time of the process instead of
the clock's: sharing the cores hardly moves it, though it does cost caches and clock speed. Compare figures within one table; ratios travel
to other machines, absolute figures do not. The commit is each section's own; a + after it means sources that were not committed yet.`
}

function machineOf({ machine: { cores, cpu, memoryGiB, kernel, arch } }) {
  return `${cores} cores of ${cpu}, ${memoryGiB} GiB of memory; ${kernel} ${arch}`
}

function section({ title, text, result }) {
  const { before, after } = result.load
  const rounds = result.runs[0]?.rounds
  const notes = [...new Set(result.runs.flatMap((run) => run.notes))].map((note) => `- ${note}`)
  return [
    `## ${title}`,
    text(result.runs[0] ?? {}),
    ...tables(result).map(asMarkdown),
    ...charts(result).map(({ name, title: what }) => `![${what}](../bench/results/${result.date.slice(0, 10)}-${name}.svg)`),
    ...(notes.length > 0 ? [notes.join('\n')] : []),
    `${rounds === undefined ? '' : rounds === 1 ? 'One round. ' : `${rounds} rounds. `}Commit ${result.versions.commit}, ${machineOf(result)}; load average ${before} before, ${after} after; [${result.file}](../bench/results/${result.file}).`,
  ].join('\n\n')
}

function peers({ peers: found = {}, iperf3 }) {
  const list = Object.entries(found).map(([name, version]) => `${name} ${version ?? 'of an unknown version'}`)
  if (iperf3 !== undefined) list.push(iperf3.replace(/ \(.*/, ''))
  return list.length === 0 ? '' : `Versions: ${list.join('; ')}.`
}

/** Also of a result from before there was a plan. */
function lossTimes({ plan, seconds, omit }) {
  if (plan === undefined) return `${seconds} s after ${omit} s that are not counted.`
  const { focus, seconds: long } = plan
  const each = Object.entries(long)
    .map(([control, count]) => `${count} s with ${control.toUpperCase()}`)
    .join(', ')
  return `${each}, after ${focus.omit} s that are not counted. At ${focus.loss} % and ${focus.roundTrip} ms ${focus.repeats} times ${focus.seconds} s, everybody in turn, each time with
  other losses: the mean, and in square brackets the least and the most.`
}

function repeat() {
  return `\`\`\`sh
npm ci && npm run build
bench/install.sh                     # Debian's packages of the others; root
npm run bench                        # all, about two hours; root, for namespaces and devices
npm run bench -- throughput          # against the others, some 25 minutes; packets, latency, loss, overhead
npm run bench -- throughput --only=openvpn,node   # contenders whose names contain this; not kept
npm run bench -- loss --part=must    # the half with 40 ms; then --part=rest --resume, which also goes on with a run that was broken off
npm run bench -- loss --at=cubic,40ms,3%   # some conditions; not kept
npm run bench -- coming-up repair    # twenty and forty minutes with the others, who wait for minutes; --only=underpass less
npm run bench -- esp core            # some: ${SECTIONS.map(({ name }) => name)
    .sort()
    .join(', ')}
npm run bench -- --runtimes          # deframer, esp, core and tun on Bun and Deno too
npm run bench -- --quick             # a look, about fifteen minutes; nothing is kept
npm run bench -- --json              # the last line is JSON: figures and ratios
node bench/report.mjs                # this page again
node --cpu-prof bench/child.mjs core '{}' && node bench/hot-spots.mjs *.cpuprofile   # where the time goes
\`\`\`

A full run replaces that day's results. No test depends on a figure. What is missing on a machine (a contender, iperf3, root, libcrypto, a runtime) is a
line in the output. Namespaces are named \`up-bench-<pid>-…\` and are gone afterwards.`
}
