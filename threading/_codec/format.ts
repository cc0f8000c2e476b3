/**
 * The first byte of every encoded value says what follows. All numbers are
 * little-endian, lengths and ids are 32 bits wide.
 *
 * Every object is numbered in the order in which both sides meet it, from 0,
 * so that a later `REFERENCE` names it: cycles and shared parts keep their
 * identity. Functions and marked classes are not numbered, as they are the
 * same value wherever they arrive.
 *
 * @module
 */

export const UNDEFINED = 0x00;
export const NULL = 0x01;
export const FALSE = 0x02;
export const TRUE = 0x03;
export const INT32 = 0x04;
export const FLOAT64 = 0x05;
/** A bigint of 64 bits. */
export const BIGINT64 = 0x06;
/** Sign (1 when negative), then the magnitude as a string of hex digits. */
export const BIGINT = 0x07;
/** Length in bytes, UTF-8. */
export const TEXT8 = 0x08;
/** Length in code units, UTF-16: strings with lone surrogates. */
export const TEXT16 = 0x09;
/** The number of an object that was met before. */
export const REFERENCE = 0x0a;
/** What a getter took away while the object around it was being read. */
export const ABSENT = 0x0b;

/** Slot, count, length in bytes, then the keys, each with its length. */
export const NEW_SHAPE = 0x10;
/** The number of a shape that the message held before, two bytes. */
export const SHAPE = 0x11;
/** Count, then every key and its value: objects that are dictionaries. */
export const KEYED = 0x12;
/** Length, then the elements. */
export const ARRAY = 0x13;
/** Length, then fields: arrays with holes or with named properties. */
export const SPARSE_ARRAY = 0x14;
/** Count, then keys and values. */
export const MAP = 0x15;
/** Count, then values. */
export const SET = 0x16;
/** Milliseconds as a float64. */
export const DATE = 0x17;
/** Source, flags. */
export const REGEXP = 0x18;
/** The primitive within. */
export const BOXED = 0x19;
/** Length, bytes. */
export const BUFFER = 0x1a;
/** Length, maximal length, bytes. */
export const RESIZABLE_BUFFER = 0x1b;
/** Kind, buffer (a value), offset, length (`TRACKING`: the buffer's). */
export const VIEW = 0x1c;
/** Kind, mask of what is there, the parts, fields. */
export const ERROR = 0x1d;
/** Name, message, stack. */
export const DOM_EXCEPTION = 0x1e;

/** The id of a marked function or class. */
export const SENDABLE = 0x20;
/** The id of a marked class, fields. */
export const INSTANCE = 0x21;
/** The id of a marked class, the built-in below it (a value), fields. */
export const BUILT_IN_INSTANCE = 0x22;
/** The address of a shared object. */
export const SHARED = 0x23;
/** The address of a shared object, the id of its marked class. */
export const SHARED_INSTANCE = 0x24;
/** The same, and then its own fields. */
export const SHARED_FIELDS = 0x25;
/** The address of the object that has its URL. */
export const BLOB = 0x26;
/** The same, name, last modification as a float64. */
export const FILE = 0x27;
/** Type, length, bytes: a `KeyObject`. */
export const KEY = 0x28;
/** The same, algorithm and usages (values), 1 if it is extractable. */
export const CRYPTO_KEY = 0x29;
/** Length, bytes. */
export const CERTIFICATE = 0x2a;
/** The address of the object that keeps a `SharedArrayBuffer` or a module. */
export const KEPT = 0x2b;
/** The same of a memory, whose buffer has the number behind its own. */
export const KEPT_MEMORY = 0x2c;

/**
 * Something nested so deeply that its contents come after the rest of the
 * message, in the order in which these tags came: neither side ever recurses
 * deeper than `MAX_DEPTH`. Followed by one of `SHAPE` (a plain object),
 * `ARRAY`, `SPARSE_ARRAY`, `MAP`, `SET`, `ERROR`, `INSTANCE`,
 * `BUILT_IN_INSTANCE`, `SHARED_FIELDS` and what stands between that tag and the
 * contents. The built-in part of a `BUILT_IN_INSTANCE` is a value of its own,
 * so it is written before the fields are left for later.
 */
export const DEFERRED = 0x30;

/** 0x40 ... 0x7f: an integer from 0 to 63. */
export const SMALL_INT = 0x40;
/** 0x80 ... 0xbf: a string of 0 to 63 ASCII characters. */
export const SHORT_TEXT = 0x80;
/** 0xc0 ... 0xdf: the number of a shape that the message held before. */
export const RECENT_SHAPE = 0xc0;
/** 0xe0 ... 0xff: an array of 0 to 31 elements without holes. */
export const SHORT_ARRAY = 0xe0;

export const MAX_DEPTH = 200;

/** A shape has at most so many keys, in so many bytes. */
export const MAX_SHAPE_KEYS = 32;
export const MAX_SHAPE_BYTES = 240;

/** The length of a view that follows its resizable buffer. */
export const TRACKING = 0xffff_ffff;

/** The kinds of views; a view's kind on the wire is its place here. */
export const VIEWS = [
  Uint8Array,
  Int8Array,
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
  DataView,
];

/** The kinds of errors; an error's kind on the wire is its place here. */
export const ERRORS: ErrorConstructor[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError as unknown as ErrorConstructor,
  SuppressedError as unknown as ErrorConstructor,
];

/**
 * The parts of an error that are not enumerable. Bit n of the mask of an
 * `ERROR` says that part n is there.
 */
export const ERROR_PARTS = [
  "name",
  "message",
  "cause",
  "errors",
  "error",
  "suppressed",
  "stack",
] as const;
