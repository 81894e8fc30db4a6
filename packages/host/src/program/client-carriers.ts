/** What the client's streams are dialled by, where that is more than TCP. */
import { isIP } from 'node:net'
import type { ClientConfig } from '../config/client-config.ts'
import type { DialledCarrier } from '../run/index.ts'

export function dialledCarriers({ gateway, carriers, tls }: ClientConfig): Record<string, DialledCarrier> {
  const servername = tls.servername ?? (isIP(gateway) === 0 ? gateway : undefined)
  const around = {
    minVersion: tls.minVersion,
    rejectUnauthorized: tls.verify === 'ca',
    ...(servername === undefined ? {} : { servername }),
    ...(tls.pins.length === 0 ? {} : { pins: tls.pins }),
    ...(tls.nullCipher ? { nullCipher: true } : {}),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.alpn.length === 0 ? {} : { alpn: tls.alpn }),
  }
  return Object.fromEntries(
    Object.entries(carriers).map(([name, { isTls, via }]) => [name, { host: gateway, tls: isTls ? around : false, via }]),
  )
}
