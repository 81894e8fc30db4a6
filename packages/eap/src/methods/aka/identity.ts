/** Network access identifiers of EAP-AKA (RFC 4187 §4.1.1): a username whose first digit says what it is, and a realm. */

export function usernameOf(identity: string): string {
  const at = identity.indexOf('@')
  return at < 0 ? identity : identity.slice(0, at)
}

/** With its "@"; nothing where there is none. */
export function realmOf(identity: string): string {
  return identity.slice(usernameOf(identity).length)
}

/** A permanent identity in the forms that somebody may have written it down: whole, without its realm, without its leading digit. */
export function formsOf(identity: string): string[] {
  const username = usernameOf(identity)
  return [identity, username, ...(/^[06]\d/.test(username) ? [username.slice(1)] : [])]
}

/** What a fast re-authentication or a pseudonym is called: 16 octets of chance in hex. */
export function nameOfChance(prefix: string, octets: Uint8Array): string {
  return prefix + [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('')
}
