export interface PassedEvent {
  readonly kind: 'tcp' | 'tls' | 'prefix' | 'ike' | 'esp'
  readonly side: 'client' | 'server'
  readonly from?: { readonly address: string; readonly port: number }
  readonly to?: { readonly address: string; readonly port: number }
  readonly name?: string
  readonly transport?: 'udp' | 'stream'
  readonly hasMarker?: boolean
  readonly exchange?: string
  readonly text?: string
  readonly octets?: string
  readonly isResumed?: boolean
}

export function figureOf(example: string, events: readonly PassedEvent[], layers?: 'all' | 'session'): string
export function sessionPartOf(example: string, figure: string): string
