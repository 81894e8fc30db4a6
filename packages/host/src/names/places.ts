/** Where a gateway is: an address, and where DNS says it of one transport, for which, and at which port. */
export interface Place {
  readonly address: string
  /** Absent: for all. */
  readonly transport?: 'udp' | 'tcp'
  readonly port?: number
}

export function addressesIn(places: readonly Place[]): string[] {
  return [...new Set(places.map(({ address }) => address))]
}

export function isSamePlace(one: Place, other: Place): boolean {
  return one.address === other.address && one.transport === other.transport && one.port === other.port
}
