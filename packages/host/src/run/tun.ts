import {
  createPacketDevicePair,
  MemoryTun,
  openTun,
  type TunDevice,
  TunError,
  type TunErrorCode,
  type TunOptions,
} from '@underpass/tun-device'

export interface TunChoice {
  /** 'packet': a veth pair and a packet socket, where there is no /dev/net/tun. 'memory': no interface at all. */
  readonly device: 'tun' | 'packet' | 'memory'
  readonly name: string
  /** Octets of the largest inner packet. */
  readonly mtu: number
}

/**
 * Packets that wait in the interface while this process is off the processor: 20 ms at two hundred thousand a second, where the kernel's own
 * 500 are gone in three. It is no queue for a slow link, as it is always read.
 */
const QUEUE_LENGTH = 4_000

export interface OpenedTun {
  readonly device: TunDevice
  /** Closes the device, and removes what was made for it. */
  close(): void
}

/** The interface has no address yet and, but for 'packet', is down. Throws `TunError`, whose message says what to do. */
export function openTunDevice(choice: TunChoice): OpenedTun {
  const { name, mtu } = choice
  return explained(() => {
    switch (choice.device) {
      case 'tun':
        return owning(openTun({ name, mtu, queueLength: QUEUE_LENGTH }))
      case 'memory':
        return owning(new MemoryTun(name, { mtu }))
      case 'packet': {
        const pair = createPacketDevicePair({ name, mtu })
        try {
          return owning(pair.open(), pair.remove)
        } catch (error) {
          pair.remove()
          throw error
        }
      }
    }
  })
}

/** A TUN that `open` makes in its own way. Throws `TunError`, whose message says what to do. */
export function openTunWith(open: (options: TunOptions) => TunDevice, { name, mtu }: Pick<TunChoice, 'name' | 'mtu'>): OpenedTun {
  return explained(() => owning(open({ name, mtu, queueLength: QUEUE_LENGTH })))
}

function explained(open: () => OpenedTun): OpenedTun {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof TunError)) throw error
    const remedy = REMEDIES[error.code]
    throw remedy === undefined ? error : new TunError(error.code, `${error.message}. ${remedy}`, error.context, { cause: error })
  }
}

function owning(device: TunDevice, alsoClose?: () => void): OpenedTun {
  return {
    device,
    close() {
      device.close()
      alsoClose?.()
    },
  }
}

const REMEDIES: Readonly<Partial<Record<TunErrorCode, string>>> = {
  UNAVAILABLE:
    'Load the tun module ("modprobe tun") and install the optional dependency koffi, or configure the TUN device "packet" or "memory".',
  PERMISSION_DENIED:
    'Run as root or with CAP_NET_ADMIN; inside a network namespace of your own without /dev/net/tun, configure [tun] device = "packet".',
  NAME_IN_USE: 'Another process has it: stop that one or configure another name.',
}
