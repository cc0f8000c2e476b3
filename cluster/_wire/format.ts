/**
 * This room turns values into bytes and back.
 *
 * Here: the wire format, what an item, or the value of a map, is between machines.
 *
 * A message is the byte `0x53`, the version and one value. A value is a byte
 * that says its type, and what follows it:
 *
 * | byte | type | what follows |
 * | ---- | ---- | ------------ |
 * | `00` to `03` | undefined, null, false, true | |
 * | `04` | integer | its zigzag code as a length |
 * | `05` | number | 8 bytes, little-endian IEEE 754 |
 * | `06` `07` | bigint from 0, below 0 | length, the bytes of its amount, big-endian |
 * | `08` | string | length, UTF-8 |
 * | `09` | string with lone surrogates | length in units, little-endian UTF-16 |
 * | `0a` | Date | 8 bytes, the time value |
 * | `0b` | RegExp | the strings source and flags |
 * | `0c` | array | length, the elements, its other properties |
 * | `0d` | array with holes | length, number of elements, (index, value) each, its other properties |
 * | `0e` | plain object | its properties |
 * | `0f` `10` | Map, Set | size, (key, value) each; size, the values |
 * | `11` | error | a string, the name of its class; the values message, stack, cause, errors |
 * | `12` | ArrayBuffer | length, the bytes |
 * | `13` | view of a buffer | its kind, byte offset, length, the buffer as a value |
 * | `14` | object of a primitive | the primitive as a value |
 * | `15` | a value that has come before | its number |
 * | `16` | instance of a registered class | a string, the name; its properties |
 * | `17` | registered function or class | a string, the name |
 * | `18` | instance of a registered class of errors | a string, the name; the values message, stack, cause, errors; its properties |
 * | `19` | DOMException | the strings message and name |
 * | `1a` | absent, within an error | |
 *
 * Lengths, sizes, indexes and numbers are unsigned LEB128. Properties are their
 * number, and (string, value) each. A string without a byte for its type in
 * front is written as if it had one. The objects of a message are numbered from
 * 0 in the order in which they begin.
 *
 * @module
 */

/** The first byte of every message. */
export const MAGIC = 0x53;

/** The version that this program writes, and reads. */
export const VERSION = 1;

/** How deeply values may be nested, so that no message exhausts the stack. */
export const MAX_DEPTH = 1000;

/** The bytes that say the type of a value. */
export const Tag = {
  undefined: 0x00,
  null: 0x01,
  false: 0x02,
  true: 0x03,
  integer: 0x04,
  number: 0x05,
  bigint: 0x06,
  negativeBigint: 0x07,
  string: 0x08,
  utf16: 0x09,
  date: 0x0a,
  regExp: 0x0b,
  array: 0x0c,
  holeyArray: 0x0d,
  object: 0x0e,
  map: 0x0f,
  set: 0x10,
  error: 0x11,
  buffer: 0x12,
  view: 0x13,
  boxed: 0x14,
  reference: 0x15,
  instance: 0x16,
  registered: 0x17,
  errorInstance: 0x18,
  domException: 0x19,
  absent: 0x1a,
} as const;

/** The kinds of views, in the order of their numbers. */
export const VIEWS: ReadonlyArray<
  new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => ArrayBufferView
> = [
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

/** The classes of errors that arrive as such; others arrive as an Error. */
export const ERRORS: ReadonlyMap<string, ErrorConstructor> = new Map(
  [
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    AggregateError as unknown as ErrorConstructor,
  ].map((error) => [error.name, error]),
);

/** The properties of an error that travel in a place of their own. */
export const ERROR_FIELDS = ["message", "stack", "cause", "errors"] as const;

/** Whether the key of an array is that of an element. */
export function isIndex(key: string): boolean {
  const index = Number(key);
  return index >= 0 && index < 2 ** 32 - 1 && String(index) === key;
}
