/** One sentence on why a socket could not be bound, one on what to do; undefined where there is nothing to add. `at` is 'address:port'. */
export function bindProblem(protocol: 'TCP' | 'UDP', at: string, code: string): string | undefined {
  const remedy = REMEDIES[code]
  return remedy && `cannot listen on ${protocol} ${at}: ${remedy.why}. ${remedy.what}`
}

const REMEDIES: Readonly<Record<string, { readonly why: string; readonly what: string }>> = {
  ADDRESS_IN_USE: {
    why: 'another program has that port',
    what: 'Stop it ("ss -lntup" shows which: often an IKE daemon such as charon or pluto), or configure another port.',
  },
  PERMISSION_DENIED: {
    why: 'permission denied',
    what: 'Ports below 1024 need root, CAP_NET_BIND_SERVICE or net.ipv4.ip_unprivileged_port_start; or configure a higher port.',
  },
  ADDRESS_NOT_AVAILABLE: {
    why: 'this machine does not have that address',
    what: 'Configure one that "ip address" lists, or none for all of them.',
  },
  // Deno's word for the same.
  BAD_OPTION: {
    why: 'the system refuses that address',
    what: 'Configure one that "ip address" lists, or none for all of them.',
  },
}
