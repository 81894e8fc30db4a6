/** Which addresses are those of proxies that say whom a connection is from. */
import { parseIp, parseIpRange } from '../ip-prefix.ts'

/** `subnets`: '10.0.0.0/8', or '10.0.0.1-10.0.0.9'. */
export function within(subnets: readonly string[]): (address: string) => boolean {
  const ranges = subnets.flatMap((text) => parseIpRange(text) ?? [])
  return (address) => {
    const ip = parseIp(address)
    return ip !== undefined && ranges.some(({ family, first, last }) => family === ip.family && first <= ip.value && ip.value <= last)
  }
}
