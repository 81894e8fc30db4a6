import { describe, expect, it } from 'vitest'
import { takeOver } from '../../src/child/child-life.ts'
import type { TransportOption } from '../../src/index.ts'
import { doWork } from '../network.ts'
import { ipv4Packet, TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

describe.each([
  ['UDP', UDP],
  ['TCP', TCP],
] as [string, TransportOption][])('RFC 7296 §2.8 (C-18): who answers sends by the new Child SA at once, over %s', (_, transport) => {
  it('what comes before our half of the key exchange is done waits for it', () => {
    const pair = new WatchedPair({ transports: [transport] })
    pair.connect()
    pair.rekey(pair.client, 'child-sa')
    pair.run(15)
    pair.client.holdsJobs = true
    pair.run(50)
    // As Libreswan does it.
    const made = [...pair.currentOf(pair.gateway).children].find(({ awaitsTraffic }) => awaitsTraffic)!
    takeOver(pair.gateway.core, made)
    const packets = [1, 2, 3].map((number) => ipv4Packet('10.2.0.1', pair.clientAddress, 60 + number))
    for (const packet of packets) pair.send(pair.gateway, packet)
    pair.run(50)
    expect(pair.client.received).toEqual([])
    expect(pair.counter(pair.client, 'esp-early')).toBe(3)
    pair.client.holdsJobs = false
    for (const { job, work } of pair.client.heldJobs) pair.input(pair.client, { kind: 'crypto-result', job, result: doWork(work) })
    expect(pair.client.received).toEqual(packets)
    expect(pair.counter(pair.client, 'esp-unknown-spi')).toBe(0)
    pair.run(7_000)
    expect(pair.leftovers()).toEqual([])
  })

  it('it is bounded, and what no Child SA is made for in the end is dropped', () => {
    const pair = new WatchedPair({ transports: [transport] })
    pair.isRecording = false
    pair.connect()
    pair.client.holdsJobs = true
    pair.rekey(pair.client, 'child-sa')
    pair.client.holdsJobs = false
    const [job] = pair.client.heldJobs
    pair.input(pair.client, { kind: 'crypto-result', job: job!.job, result: doWork(job!.work) })
    pair.client.holdsJobs = true
    pair.run(50)
    const made = [...pair.currentOf(pair.gateway).children].find(({ awaitsTraffic }) => awaitsTraffic)!
    takeOver(pair.gateway.core, made)
    for (let i = 0; i < 1_100; i++) pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 60))
    pair.run(50)
    expect(pair.counter(pair.client, 'esp-early')).toBe(1_024)
    expect(pair.counter(pair.client, 'esp-early-lost')).toBe(76)
    const { job: last } = pair.client.heldJobs.at(-1)!
    pair.client.holdsJobs = false
    pair.input(pair.client, { kind: 'crypto-result', job: last, result: { kind: 'failed', detail: 'of the test' } })
    expect(pair.client.received).toEqual([])
    expect(pair.counter(pair.client, 'esp-unknown-spi')).toBe(1_024)
    pair.run(40_000)
    expect(pair.passesTraffic()).toBe(true)
  })
})
