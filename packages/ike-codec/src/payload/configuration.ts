import { type Codec, layout, prefixed16, repeated, thenReserved, u8, u15 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |   CFG Type    |                    RESERVED                   |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                   Configuration Attributes                    ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Configuration payload, CP (RFC 7296 §3.15). */
export interface Configuration {
  /** `CfgType`. */
  readonly cfgType: number
  readonly attributes: readonly ConfigurationAttribute[]
}

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |R|         Attribute Type      |            Length             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                             Value                             ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Configuration attribute (RFC 7296 §3.15.1). An empty value in a CFG_REQUEST asks for one. */
export interface ConfigurationAttribute {
  /** `ConfigurationAttributeType`, 15 bits. */
  readonly type: number
  readonly value: Uint8Array
}

export const configuration: Codec<Configuration> = layout<Configuration>({
  cfgType: thenReserved(u8, 3),
  attributes: repeated('attribute', layout<ConfigurationAttribute>({ type: u15, value: prefixed16 })),
})
