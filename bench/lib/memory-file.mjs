// A file in memory without a name, filled once and sent without a copy: sendfile(2) gives the socket the file's own pages, so that what a load
// costs is little beside what its receiver does. By koffi, which the packages bring along.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../../tools/runtimes.mjs'

const [POLLOUT, EAGAIN, EINTR] = [4, 11, 4]

let loaded

function libc() {
  if (loaded !== undefined) return loaded
  const koffi = createRequire(join(root, 'packages/native/package.json'))('koffi')
  const library = koffi.load(null)
  loaded = {
    errno: () => koffi.errno(),
    memfdCreate: library.func('int memfd_create(const char *name, unsigned int flags)'),
    write: library.func('int64_t write(int fd, const uint8_t *buffer, size_t length)'),
    sendfile: library.func('int64_t sendfile(int to, int from, _Inout_ int64_t *offset, size_t length)'),
    poll: library.func('int poll(_Inout_ uint8_t *set, uint64_t count, int milliseconds)'),
    close: library.func('int close(int fd)'),
  }
  return loaded
}

export class MemoryFile {
  /** Octets that were written, and those of them that were sent. */
  size = 0
  sent = 0
  #fd
  #offset = [0]

  constructor() {
    this.#fd = libc().memfdCreate('sealed', 1)
    if (this.#fd < 0) throw new Error(`memfd_create: errno ${libc().errno()}`)
  }

  append(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const written = Number(libc().write(this.#fd, at === 0 ? bytes : bytes.subarray(at), bytes.length - at))
      if (written < 0) throw new Error(`write to a file in memory: errno ${libc().errno()}`)
      at += written
    }
    this.size += bytes.length
  }

  /** What the non-blocking socket takes at once, at most `length` octets; 0: it is full, or all is sent. */
  sendTo(socket, length) {
    if (this.sent === this.size) return 0
    this.#offset[0] = this.sent
    const sent = Number(libc().sendfile(socket, this.#fd, this.#offset, Math.min(length, this.size - this.sent)))
    if (sent >= 0) {
      this.sent += sent
      return sent
    }
    const errno = libc().errno()
    if (errno === EAGAIN || errno === EINTR) return 0
    throw new Error(`sendfile: errno ${errno}`)
  }

  close() {
    libc().close(this.#fd)
  }
}

/** Blocks the thread until one of the sockets takes octets. */
export function waitUntilWritable(sockets, milliseconds) {
  const set = new Uint8Array(8 * sockets.length)
  const view = new DataView(set.buffer)
  for (const [i, fd] of sockets.entries()) {
    view.setInt32(8 * i, fd, true)
    view.setInt16(8 * i + 4, POLLOUT, true)
  }
  libc().poll(set, sockets.length, milliseconds)
}
