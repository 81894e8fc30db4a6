/** Octets in SO_RCVBUF and SO_SNDBUF: some 15 ms at 2 Gbit/s, for a peer's burst and for a garbage collection here. */
export const DEFAULT_BUFFER = 0x400000

/** Octets that may wait beyond SO_SNDBUF. */
export const DEFAULT_SEND_LIMIT = 0x400000
