/**
 * How the decoder takes primitive parts out of a message.
 *
 * @module
 */

import { SHORT_TEXT, TEXT16, TEXT8 } from "./format.ts";

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
  /** The shapes of the message by number. */
  shapes: DecodedShape[] = [];
  deferred: DeferredContents[] = [];

  /** Starts a message, whatever became of the one before. */
  begin(bytes: Uint8Array, start: number): void {
    this.#forget();
    // Almost always the heap's view.
    if (this.bytes !== bytes) {
      this.bytes = bytes;
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
    if (this.bytes.buffer instanceof ArrayBuffer) {
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
    if (this.shapes.length > 0) this.shapes = [];
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
