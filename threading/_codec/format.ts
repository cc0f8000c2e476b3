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

/** The most elements of one. */
export const MAX_SHORT_ARRAY = 31;

export const MAX_DEPTH = 200;

/** The most keys of a shape, and the most bytes of them. */
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

// How the decoder takes primitive parts out of a message.

/** The decoder is slow on shared memory: up to here, bytes are copied first. */
const COPIED = 8192;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const copy = new Uint8Array(COPIED);
const units = new Uint16Array(4096);

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** A list of keys and the bytes it was made from. */
export interface DecodedShape {
  readonly block: Uint8Array;
  readonly keys: string[];
  /**
   * The prototype for whose objects `assignable` was found out: whether an
   * assignment to any of the keys makes an own property.
   */
  prototype: object | null;
  assignable: boolean;
}

/** An object whose contents come after the rest of the message. */
interface DeferredContents {
  // deno-lint-ignore no-explicit-any
  readonly object: any;
  /** The number of elements of an array. */
  readonly count: number;
  readonly read: ReadContents;
}

/** Reads the contents of an object: what follows its head. */
// deno-lint-ignore no-explicit-any
type ReadContents = (r: Reader, object: any, count: number) => void;

/** One message being read. */
export class Reader {
  bytes: Uint8Array = NO_BYTES;
  view: DataView = NO_VIEW;
  at = 0;
  #start = 0;
  /** The objects of the message by number. */
  objects: unknown[] = [];
  count = 0;
  /** The shapes of the message by number, and how many there are. */
  shapes: DecodedShape[] = [];
  shapeCount = 0;
  deferred: DeferredContents[] = [];
  /** Whether the memory is the caller's, who may let go of it. */
  #borrowed = false;

  /** Starts a message; the last one may have been left in the middle. */
  begin(bytes: Uint8Array, start: number): void {
    if (this.count > 0 || this.deferred.length > 0) this.#forget();
    this.shapeCount = 0;
    // Almost always the heap's view, or the queue's.
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.#borrowed = bytes.buffer instanceof ArrayBuffer;
      this.view = new DataView(
        bytes.buffer,
        bytes.byteOffset,
        bytes.byteLength,
      );
    }
    this.at = start;
    this.#start = start;
  }

  /** Lets go of everything but memory that is shared anyway. */
  end(): void {
    this.#forget();
    if (this.#borrowed) {
      this.#borrowed = false;
      this.bytes = NO_BYTES;
      this.view = NO_VIEW;
    }
  }

  #forget(): void {
    if (this.count > 64) {
      this.objects = [];
    } else {
      for (let i = 0; i < this.count; i++) this.objects[i] = undefined;
    }
    this.count = 0;
    if (this.deferred.length > 0) this.deferred = [];
  }

  /** Gives `object` its number. */
  // deno-lint-ignore no-explicit-any
  add(object: any): any {
    this.objects[this.count++] = object;
    return object;
  }

  byte(): number {
    return this.bytes[this.at++];
  }

  uint32(): number {
    const value = this.view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  int32(): number {
    const value = this.view.getInt32(this.at, true);
    this.at += 4;
    return value;
  }

  float64(): number {
    const value = this.view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  bigInt64(): bigint {
    const value = this.view.getBigInt64(this.at, true);
    this.at += 8;
    return value;
  }

  /** Skips what fills up to a multiple of 8 bytes, see `Writer.align`. */
  align(): void {
    this.at += this.#start - this.at & 7;
  }

  /** A copy of the next bytes, on a buffer of its own. */
  raw(size: number): Uint8Array<ArrayBuffer> {
    // Twice as fast as `slice`, which fills the new buffer with zeros first.
    return new Uint8Array(this.bytes.subarray(this.at, this.at += size));
  }

  /** Reads a string with its tag. */
  string(): string {
    return this.text(this.byte());
  }

  /** Reads a string whose tag was `tag`. */
  text(tag: number): string {
    if (tag >= SHORT_TEXT) return this.ascii(tag - SHORT_TEXT);
    if (tag === TEXT8) return this.#utf8(this.uint32());
    if (tag === TEXT16) return this.#utf16(this.uint32());
    throw new RangeError(`Cannot decode a string: received the tag ${tag}`);
  }

  /** Reads a short string of ASCII characters. */
  ascii(size: number): string {
    const { bytes } = this;
    let at = this.at;
    const end = this.at += size;
    let text = "";
    for (; at + 8 <= end; at += 8) {
      // deno-fmt-ignore
      text += String.fromCharCode(
        bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3],
        bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7],
      );
    }
    if (at + 4 <= end) {
      text += String.fromCharCode(
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
      );
      at += 4;
    }
    for (; at < end; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }

  #utf8(size: number): string {
    const start = this.at;
    const end = this.at += size;
    if (size > COPIED) return decoder.decode(this.bytes.subarray(start, end));
    if (size < 64) {
      for (let i = 0; i < size; i++) copy[i] = this.bytes[start + i];
    } else {
      copy.set(this.bytes.subarray(start, end));
    }
    return decoder.decode(copy.subarray(0, size));
  }

  #utf16(size: number): string {
    let text = "";
    for (let rest = size; rest > 0;) {
      const count = Math.min(rest, units.length);
      for (let i = 0; i < count; i++, this.at += 2) {
        units[i] = this.view.getUint16(this.at, true);
      }
      text += String.fromCharCode.apply(
        null,
        units.subarray(0, count) as unknown as number[],
      );
      rest -= count;
    }
    return text;
  }
}
