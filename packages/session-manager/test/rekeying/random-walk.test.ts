import { describe, expect, it } from 'vitest'
import { seededRandom } from '../network.ts'
import { TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

/** `REKEYING_WALKS=500` looks for more. */
const WALKS = Number(process.env['REKEYING_WALKS'] ?? 12)
const PATIENCE = 60_000 + 4_000 * WALKS
const STEPS = 60

/**
 * What holds of any order of events: there is one IKE SA and one Child SA at each end when all has settled, they are the same ones, what was
 * sent came out once, and no IKE SA was made anew.
 */
describe('RFC 7296 §2.8.1, §2.8.2, §2.25: random walks with rekeying by both ends', () => {
  it(
    'over UDP that loses IKE messages: no packet is lost, and nothing is left behind',
    () => {
      for (let seed = 0; seed < WALKS; seed++) {
        const choose = chooser(`udp ${seed}`)
        const pair = new WatchedPair({ transports: [UDP] })
        pair.isRecording = false
        pair.connect()
        pair.meddle = () => (choose(100) < 15 ? [] : undefined)
        for (let step = 0; step < STEPS; step++) {
          act(pair, choose)
          pair.runUnderTraffic(choose(4) === 0 ? 1_500 : choose(60), 25)
        }
        pair.meddle = () => undefined
        pair.run(150_000)
        const about = `seed ${seed}`
        expect(pair.leftovers(), about).toEqual([])
        expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)], about).toEqual([])
        expect(pair.client.eventsOf('ike-sa-established'), about).toHaveLength(1)
        expect(pair.client.eventsOf('ike-sa-rekeyed').length, about).toBeGreaterThan(0)
      }
    },
    PATIENCE,
  )

  it(
    'over TCP whose connections die: nothing is left behind, and the client dials',
    () => {
      for (let seed = 0; seed < WALKS; seed++) {
        const choose = chooser(`tcp ${seed}`)
        const pair = new WatchedPair({ transports: [TCP] })
        pair.isRecording = false
        pair.connect()
        for (let step = 0; step < STEPS; step++) {
          act(pair, choose)
          pair.run(choose(80))
          if (choose(5) === 0 && pair.pipe.isOpen) pair.cut(pair.pipe)
          pair.run(choose(3) === 0 ? 3_000 : choose(60))
        }
        pair.run(150_000)
        const about = `seed ${seed}`
        expect(pair.leftovers(), about).toEqual([])
        expect(pair.client.eventsOf('ike-sa-established'), about).toHaveLength(1)
        expect(pair.client.eventsOf('ike-sa-rekeyed').length, about).toBeGreaterThan(0)
        expect(
          pair.pipes.every(({ originator }) => originator === pair.client),
          about,
        ).toBe(true)
        expect(pair.passesTraffic(), about).toBe(true)
      }
    },
    PATIENCE,
  )

  it(
    'with Deletes by both ends in between: the tunnel is up in the end, and nothing is left behind',
    () => {
      for (let seed = 0; seed < WALKS; seed++) {
        const choose = chooser(`delete ${seed}`)
        const pair = new WatchedPair({ transports: [choose(2) === 0 ? TCP : UDP] })
        pair.isRecording = false
        pair.connect()
        for (let step = 0; step < STEPS; step++) {
          if (choose(8) === 0) pair.command(pair.gateway, { kind: 'delete-child', peer: 'road' })
          else act(pair, choose)
          pair.run(choose(4) === 0 ? 4_000 : choose(60))
        }
        pair.run(200_000)
        const about = `seed ${seed}`
        expect(pair.leftovers(), about).toEqual([])
        expect(pair.passesTraffic(), about).toBe(true)
      }
    },
    PATIENCE,
  )
})

function act(pair: WatchedPair, choose: (below: number) => number): void {
  const node = choose(2) === 0 ? pair.client : pair.gateway
  const what = choose(7)
  if (what < 3) pair.rekey(node, 'child-sa')
  else if (what < 6) pair.rekey(node, 'ike-sa')
  else pair.command(node, { kind: 'check-liveness' })
}

function chooser(seed: string): (below: number) => number {
  const random = seededRandom(seed)
  return (below) => random(2).reduce((value, octet) => value * 256 + octet, 0) % below
}
