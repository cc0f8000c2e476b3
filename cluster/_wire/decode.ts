/**
 * Bytes to values; `format.ts` has the format.
 *
 * The bytes come from outside, so none is believed: what a length promises must
 * be there before anything is made for it, nesting is limited, and names lead
 * to what this program has registered or to an error.
 *
 * @module
 */

import {
  ERROR_FIELDS,
  ERRORS,
  isIndex,
  MAGIC,
  MAX_DEPTH,
  Tag,
  VERSION,
  VIEWS,
} from "./format.ts";
import { registeredAs } from "../registry.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const ABSENT = Symbol("absent");

/**
 * The value that a message has.
 *
 * @param bytes The message.
 * @param what What it is, for messages: `item`.
 * @throws {Deno.errors.NotSupported} If another version has written it.
 * @throws {Deno.errors.InvalidData} If it is damaged, or names what this program
 * has not registered.
 */
export function decode(bytes: Uint8Array, what: string): unknown {
  try {
    return new Decoder(bytes).message();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const Class = error.version
      ? Deno.errors.NotSupported
      : Deno.errors.InvalidData;
    throw new Class(`Cannot read the ${what} of a server: ${error.message}`);
  }
}

class Unreadable extends Error {
  constructor(message: string, readonly version = false) {
    super(message);
  }
}

class Decoder {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  #depth = 0;
  #objects: unknown[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  message(): unknown {
    if (this.#bytes.length === 0 || this.#byte() !== MAGIC) {
      throw new Unreadable("it is not in the wire format of skein");
    }
    const version = this.#byte();
    if (version !== VERSION) {
      throw new Unreadable(
        `it is in version ${version} of the wire format, and this program reads version ${VERSION}`,
        true,
      );
    }
    const value = this.#value();
    if (this.#at === this.#bytes.length) return value;
    throw new Unreadable("bytes follow its end");
  }

  #byte(): number {
    if (this.#at < this.#bytes.length) return this.#bytes[this.#at++];
    throw new Unreadable("its end is missing");
  }

  /** An unsigned number below 2 ** 53. */
  #number(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 53; factor *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw new Unreadable("a number in it is too large");
  }

  /** How many parts follow, each of at least some bytes. */
  #count(least: number): number {
    const count = this.#number();
    if (count * least <= this.#bytes.length - this.#at) return count;
    throw new Unreadable("a length in it is greater than the rest");
  }

  #raw(length: number): Uint8Array {
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #double(): number {
    if (this.#bytes.length - this.#at < 8) {
      throw new Unreadable("its end is missing");
    }
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  #string(): string {
    return this.#text(this.#byte());
  }

  #text(tag: number): string {
    if (tag === Tag.string) {
      const bytes = this.#raw(this.#count(1));
      try {
        return utf8.decode(bytes);
      } catch {
        throw new Unreadable("a string in it is not UTF-8");
      }
    }
    if (tag !== Tag.utf16) throw new Unreadable("a string is missing");
    const length = this.#count(2);
    let text = "";
    for (let i = 0; i < length; i++, this.#at += 2) {
      text += String.fromCharCode(this.#view.getUint16(this.#at, true));
    }
    return text;
  }

  #value(): unknown {
    const tag = this.#byte();
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.integer: {
        const code = this.#number();
        return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
      }
      case Tag.number:
        return this.#double();
      case Tag.bigint:
        return this.#bigint();
      case Tag.negativeBigint:
        return -this.#bigint();
      case Tag.string:
      case Tag.utf16:
        return this.#text(tag);
      case Tag.reference:
        return this.#reference();
      case Tag.registered:
        return this.#registered();
    }
    if (++this.#depth > MAX_DEPTH) {
      throw new Unreadable(`it is nested more than ${MAX_DEPTH} deep`);
    }
    const value = this.#object(tag);
    this.#depth--;
    return value;
  }

  #bigint(): bigint {
    const bytes = this.#raw(this.#count(1));
    try {
      return BigInt(`0x0${bytes.toHex()}`);
    } catch {
      throw new Unreadable("a bigint in it is too large");
    }
  }

  #reference(): unknown {
    const number = this.#number();
    if (number < this.#objects.length) {
      const object = this.#objects[number];
      // A place is empty while what belongs there is still being read.
      if (object !== undefined) return object;
    }
    throw new Unreadable("it refers to an object that has not come before");
  }

  #registered(name: string = this.#string()) {
    const value = registeredAs(name);
    if (value !== undefined) return value;
    throw new Unreadable(
      `this program has registered no class or function under a name in it, received ${
        JSON.stringify(name)
      }`,
    );
  }

  /** Numbers an object before its parts are read: they may refer to it. */
  #begin<T>(object: T): T {
    this.#objects.push(object);
    return object;
  }

  /** The same for one that can only be made once its parts are there. */
  #end<T>(make: () => T): T {
    const number = this.#objects.push(undefined) - 1;
    return this.#objects[number] = make();
  }

  #object(tag: number): unknown {
    switch (tag) {
      case Tag.date:
        return this.#begin(new Date(this.#double()));
      case Tag.regExp:
        return this.#end(() => this.#regExp());
      case Tag.array: {
        const array = this.#begin<unknown[]>([]);
        const length = this.#count(1);
        for (let i = 0; i < length; i++) array.push(this.#value());
        return this.#properties(array);
      }
      case Tag.holeyArray:
        return this.#holeyArray();
      case Tag.object:
        return this.#properties(this.#begin({}));
      case Tag.map: {
        const map = this.#begin(new Map());
        const size = this.#count(2);
        for (let i = 0; i < size; i++) map.set(this.#value(), this.#value());
        return map;
      }
      case Tag.set: {
        const set = this.#begin(new Set());
        const size = this.#count(1);
        for (let i = 0; i < size; i++) set.add(this.#value());
        return set;
      }
      case Tag.error:
        return this.#error();
      case Tag.buffer: {
        const bytes = this.#raw(this.#count(1));
        return this.#begin(bytes.slice().buffer);
      }
      case Tag.view:
        return this.#end(() => this.#bufferView());
      case Tag.boxed:
        return this.#end(() => this.#boxed());
      case Tag.instance:
        return this.#properties(this.#begin(this.#instance()));
      case Tag.errorInstance: {
        const error = this.#begin(this.#instance());
        // A real error, which has a stack and is printed as one.
        this.#errorFields(error);
        return this.#properties(error);
      }
      case Tag.domException:
        return this.#end(() =>
          new DOMException(this.#string(), this.#string())
        );
    }
    throw new Unreadable(`no type has the byte ${tag}`);
  }

  #instance(): object {
    const name = this.#string();
    const { prototype } = this.#registered(name) as { prototype: unknown };
    if (typeof prototype !== "object" || prototype === null) {
      throw new Unreadable(`what is registered as ${name} is not a class`);
    }
    if (prototype instanceof Error) {
      const error = new Error();
      for (const key of Object.getOwnPropertyNames(error)) {
        Reflect.deleteProperty(error, key);
      }
      return Object.setPrototypeOf(error, prototype);
    }
    return Object.create(prototype);
  }

  #properties<T extends object>(object: T): T {
    const count = this.#count(3);
    for (let i = 0; i < count; i++) {
      const key = this.#string();
      if (Array.isArray(object) && (key === "length" || isIndex(key))) {
        throw new Unreadable("an element in it is out of place");
      }
      // The indexes come first and in order, if there are no gaps.
      if (isIndex(key) && Number(key) !== i) makeSparse(object);
      define(object, key, this.#value());
    }
    return object;
  }

  #regExp(): RegExp {
    try {
      return new RegExp(this.#string(), this.#string());
    } catch (error) {
      if (error instanceof Unreadable) throw error;
      throw new Unreadable("a regular expression in it is wrong");
    }
  }

  #holeyArray(): unknown[] {
    const array = this.#begin<unknown[]>([]);
    const length = this.#number();
    if (length >= 2 ** 32) throw new Unreadable("an array in it is too long");
    makeSparse(array);
    array.length = length;
    const count = this.#count(2);
    for (let i = 0; i < count; i++) {
      const index = this.#number();
      if (index >= length) throw new Unreadable("an index in it is too large");
      array[index] = this.#value();
    }
    return this.#properties(array);
  }

  #error(): Error {
    const number = this.#objects.push(undefined) - 1;
    const Class = ERRORS.get(this.#string());
    if (Class === undefined) {
      throw new Unreadable("a class of errors is unknown");
    }
    const error = Class === (AggregateError as unknown)
      ? new AggregateError([])
      : new Class();
    this.#objects[number] = error;
    this.#errorFields(error);
    return error;
  }

  #errorFields(error: object): void {
    for (const key of ERROR_FIELDS) {
      const value = this.#bytes[this.#at] === Tag.absent
        ? (this.#at++, ABSENT)
        : this.#value();
      Reflect.deleteProperty(error, key);
      if (value === ABSENT) continue;
      Object.defineProperty(error, key, {
        value,
        writable: true,
        configurable: true,
      });
    }
  }

  #bufferView(): ArrayBufferView {
    const View = VIEWS[this.#byte()];
    const offset = this.#number();
    const length = this.#number();
    const buffer = this.#value();
    if (View === undefined || !(buffer instanceof ArrayBuffer)) {
      throw new Unreadable("a view in it has no buffer");
    }
    try {
      return new View(buffer, offset, length);
    } catch {
      throw new Unreadable("a view in it exceeds its buffer");
    }
  }

  #boxed(): unknown {
    const value = this.#value();
    if (
      value !== null && /^(number|string|boolean|bigint)$/.test(typeof value)
    ) {
      return Object(value);
    }
    throw new Unreadable("a primitive in it is missing");
  }
}

const FAR = 2 ** 32 - 2;

/**
 * Makes an object keep its elements in a table. Else a single far index would
 * take memory for all the others before it.
 */
function makeSparse(object: object): void {
  (object as unknown[])[FAR] = undefined;
  delete (object as unknown[])[FAR];
}

/** Sets a property as a literal does: no setter runs, `__proto__` is a name. */
function define(object: object, key: string, value: unknown): void {
  if (
    key !== "__proto__" && Object.getPrototypeOf(object) === Object.prototype
  ) {
    (object as Record<string, unknown>)[key] = value; // which is faster
    return;
  }
  Object.defineProperty(object, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
