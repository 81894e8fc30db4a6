/*
 * A WebAssembly module of one function, put together here, that sums sixteen octets with one instruction:
 *
 *     (import "host" "memory" (memory 1))
 *     (func (export "sum") (param $at i32) (param $length i32) (result i32))
 *
 * Section numbers are those of the WebAssembly specification, version 2.
 */

type Code = readonly number[]

const I32 = 0x7f
const V128 = 0x7b

// §5.4: instructions.
const NO_RESULT = 0x40
const END = 0x0b
const branchIf = (label: number): Code => [0x0d, label]
const branch = (label: number): Code => [0x0c, label]
const get = (local: number): Code => [0x20, local]
const set = (local: number): Code => [0x21, local]
const i32Add: Code = [0x6a]
const i32Sub: Code = [0x6b]
const i32LessThan: Code = [0x49]
const i32Load8: Code = [0x2d, 0, 0]
const i32Load16: Code = [0x2f, 0, 0]
const v128Load = (offset: number): Code => [0xfd, 0x00, 0, offset]
const i32x4Lane = (lane: number): Code => [0xfd, 0x1b, lane]
const i32x4Add: Code = [0xfd, 0xae, 0x01]
/** Eight words of 16 bits become four sums of two. */
const i32x4AddPairs: Code = [0xfd, 0x7f]
/** §5.2.2: signed LEB128, here of 0 … 8191. */
const i32Const = (value: number): Code => (value < 64 ? [0x41, value] : [0x41, (value & 0x7f) | 0x80, value >>> 7])

// The function's locals.
const AT = 0
const LENGTH = 1
const SUM = 2
const LANES = [3, 4, 5, 6]

/** While `octets` or more are left: `body`, and on behind them. */
function each(octets: number, body: Code): Code {
  const stop = [...get(LENGTH), ...i32Const(octets), ...i32LessThan, ...branchIf(1)]
  const goOn = [...get(AT), ...i32Const(octets), ...i32Add, ...set(AT), ...get(LENGTH), ...i32Const(octets), ...i32Sub, ...set(LENGTH)]
  return [0x02, NO_RESULT, 0x03, NO_RESULT, ...stop, ...body, ...goOn, ...branch(0), END, END]
}

const addVector = (lanes: number, offset: number): Code => [
  ...get(lanes),
  ...get(AT),
  ...v128Load(offset),
  ...i32x4AddPairs,
  ...i32x4Add,
  ...set(lanes),
]
const addToSum = (value: Code): Code => [...get(SUM), ...value, ...i32Add, ...set(SUM)]

/** No sum overflows: 65,535 octets are less than 2³¹ in all. */
const body: Code = [
  // Four sums that do not wait for one another.
  ...each(
    64,
    LANES.flatMap((lanes, i) => addVector(lanes, 16 * i)),
  ),
  ...each(16, addVector(LANES[0], 0)),
  ...LANES.flatMap((lanes) => [0, 1, 2, 3].flatMap((lane) => addToSum([...get(lanes), ...i32x4Lane(lane)]))),
  ...each(2, addToSum([...get(AT), ...i32Load16])),
  ...each(1, addToSum([...get(AT), ...i32Load8])),
  ...get(SUM),
  END,
]

/** §5.1.3 and §5.2.4. */
function vector(...elements: readonly Code[]): Code {
  return [...u32(elements.length), ...elements.flat()]
}

function name(text: string): Code {
  return vector(...Array.from(text, (character) => [character.charCodeAt(0)]))
}

/** §5.2.2: unsigned LEB128. */
function u32(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...u32(value >>> 7)]
}

function withSize(octets: Code): Code {
  return [...u32(octets.length), ...octets]
}

function section(id: number, content: Code): Code {
  return [id, ...withSize(content)]
}

const locals = vector([1, I32], [LANES.length, V128])

/** §5.5.16 */
export const summingModule: Uint8Array<ArrayBuffer> = Uint8Array.from([
  ...name('\0asm').slice(1),
  ...[1, 0, 0, 0],
  ...section(1, vector([0x60, ...vector([I32], [I32]), ...vector([I32])])),
  ...section(2, vector([...name('host'), ...name('memory'), 0x02, 0x00, 1])),
  ...section(3, vector([0])),
  ...section(7, vector([...name('sum'), 0x00, 0])),
  ...section(10, vector(withSize([...locals, ...body]))),
])
