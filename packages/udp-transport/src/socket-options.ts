// Linux: asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h, bits/socket.h.

export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000

export const SOL_SOCKET = 1
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_REUSEPORT = 15
/** Beyond the limits of net.core, for those with CAP_NET_ADMIN. */
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_ATTACH_REUSEPORT_CBPF = 51

export const IPPROTO_IP = 0
export const IP_TOS = 1
export const IP_RECVERR = 11
export const IPPROTO_IPV6 = 41
export const IPV6_RECVERR = 25
export const IPV6_V6ONLY = 26
export const IPV6_TCLASS = 67

export const SOL_UDP = 17
/** Generic segmentation offload: one send is many datagrams of this length, the last may be shorter. */
export const UDP_SEGMENT = 103
/** Generic receive offload: one receive is many datagrams of one sender, of a length told in a control message. */
export const UDP_GRO = 104
