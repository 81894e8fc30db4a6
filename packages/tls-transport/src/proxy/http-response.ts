// As much of HTTP/1.1 as the answer to a CONNECT is (RFC 9112).

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** In the order in which they came, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly isVersion10: boolean
  /** Octets of it, the empty line included. */
  readonly length: number
}

const MAX_HEAD = 16_384

/** `undefined`: more is to come. 'malformed': it is no response, or longer than any proxy's should be. */
export function readResponseHead(bytes: Uint8Array): ResponseHead | 'malformed' | undefined {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, MAX_HEAD))
  // Whoever speaks something else is not waited for.
  if (!'HTTP/1.'.startsWith(text.slice(0, 7))) return 'malformed'
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return bytes.length < MAX_HEAD ? undefined : 'malformed'
  const [statusLine = '', ...lines] = text.slice(0, end.index).split(/\r?\n/)
  const status = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: (.*))?$/.exec(statusLine)
  const fields = lines.map(fieldOf)
  if (status === null || fields.includes(undefined)) return 'malformed'
  return {
    status: Number(status[2]),
    reason: printable(status[3] ?? ''),
    fields: fields as (readonly [string, string])[],
    isVersion10: status[1] === '0',
    length: end.index + end[0].length,
  }
}

/** The values of a field that may come several times. */
export function fieldValues({ fields }: ResponseHead, name: string): string[] {
  return fields.filter(([each]) => each === name).map(([, value]) => value)
}

/** Octets of content behind the head; `undefined` where only the end of the connection would tell, or the content is coded. */
export function contentLength(head: ResponseHead): number | undefined {
  if (fieldValues(head, 'transfer-encoding').length > 0) return undefined
  const values = new Set(fieldValues(head, 'content-length'))
  const [value] = values
  return values.size === 1 && /^\d{1,9}$/.test(value as string) ? Number(value) : undefined
}

/** Whether the connection goes on behind the response (RFC 9112 §9.3). */
export function isPersistent(head: ResponseHead): boolean {
  const options = [...fieldValues(head, 'connection'), ...fieldValues(head, 'proxy-connection')].join(',').toLowerCase()
  if (/\bclose\b/.test(options)) return false
  return !head.isVersion10 || /\bkeep-alive\b/.test(options)
}

function fieldOf(line: string): readonly [string, string] | undefined {
  const match = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/.exec(line)
  return match === null ? undefined : [(match[1] as string).toLowerCase(), (match[2] as string).trim()]
}

/** It goes into messages and logs. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
}
