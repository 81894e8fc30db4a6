/** RFC 3986 §3.2: 'name:443', '[2001:db8::1]:443'. */
export function authorityOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
