/**
 * Values to bytes; `format.ts` has the format.
 *
 * @module
 */

import { SimpleQueue } from "../../queue/mod.ts";
import { NotSendableError, Thread } from "../../threading/mod.ts";
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
import { nameOf } from "../registry.ts";

/** The class that all objects of the shared heap have in common. */
const Shared: abstract new () => unknown = Object.getPrototypeOf(SimpleQueue);

/** The classes whose instances have more than their properties. */
const BUILT_IN = [
  Date,
  RegExp,
  Map,
  Set,
  ArrayBuffer,
  DataView,
  Object.getPrototypeOf(Uint8Array) as Uint8ArrayConstructor,
  Promise,
  WeakMap,
  WeakSet,
  DOMException,
];

const utf8 = new TextEncoder();

/**
 * The bytes of a value.
 *
 * @param value The value.
 * @param what What it is, for messages: `item`.
 * @throws {NotSendableError} If it, or what it contains, cannot be sent to
 * another machine.
 * @throws {RangeError} If it is nested too deeply.
 */
export function encode(value: unknown, what: string): Uint8Array<ArrayBuffer> {
  const encoder = new Encoder(what);
  encoder.byte(MAGIC);
  encoder.byte(VERSION);
  encoder.value(value);
  return encoder.done();
}

class Encoder {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #seen: Map<object, number> | undefined;
  #path: Array<string | number>;

  constructor(what: string) {
    this.#path = [what];
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = byte;
  }

  /** An unsigned number below 2 ** 54, seven bits a byte. */
  #length(value: number): void {
    this.#room(8);
    while (value >= 0x80) {
      this.#bytes[this.#at++] = value % 0x80 | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#at++] = value;
  }

  #double(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #raw(bytes: Uint8Array): void {
    this.#length(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.byte(Tag.undefined);
      case "boolean":
        return this.byte(value ? Tag.true : Tag.false);
      case "number":
        return this.#number(value);
      case "string":
        return this.#string(value);
      case "bigint":
        return this.#bigint(value);
      case "symbol":
        throw this.#refusal("a symbol");
      case "function":
        return this.#registered(value);
    }
    if (value === null) return this.byte(Tag.null);
    this.#object(value as object);
  }

  #number(value: number): void {
    // Zigzag doubles the amount, which must stay an exact integer.
    if (
      Number.isInteger(value) && Math.abs(value) < 2 ** 52 &&
      !Object.is(value, -0)
    ) {
      this.byte(Tag.integer);
      this.#length(value < 0 ? -2 * value - 1 : 2 * value);
    } else {
      this.byte(Tag.number);
      this.#double(value);
    }
  }

  #bigint(value: bigint): void {
    this.byte(value < 0n ? Tag.negativeBigint : Tag.bigint);
    const digits = (value < 0n ? -value : value).toString(16);
    this.#raw(Uint8Array.fromHex(digits.length % 2 ? `0${digits}` : digits));
  }

  #string(value: string): void {
    if (!value.isWellFormed()) {
      this.byte(Tag.utf16);
      this.#length(value.length);
      this.#room(2 * value.length);
      for (let i = 0; i < value.length; i++, this.#at += 2) {
        this.#view.setUint16(this.#at, value.charCodeAt(i), true);
      }
      return;
    }
    this.byte(Tag.string);
    if (value.length < 0x2a) {
      // Its length in bytes, below 0x80, fits into the one byte before it.
      this.#room(1 + 3 * value.length);
      const target = this.#bytes.subarray(this.#at + 1);
      const { written } = utf8.encodeInto(value, target);
      this.#bytes[this.#at] = written;
      this.#at += 1 + written;
    } else {
      this.#raw(utf8.encode(value));
    }
  }

  #registered(value: unknown): void {
    const name = nameOf(value);
    if (name === undefined) {
      throw this.#refusal("a function that is not registered");
    }
    this.byte(Tag.registered);
    this.#string(name);
  }

  #object(value: object): void {
    const seen = this.#seen ??= new Map();
    const number = seen.get(value);
    if (number !== undefined) {
      this.byte(Tag.reference);
      this.#length(number);
      return;
    }
    seen.set(value, seen.size);
    if (this.#path.length > MAX_DEPTH) {
      throw new RangeError(
        `Cannot send a value to another machine: it may be nested ${MAX_DEPTH} deep, received one that is nested more deeply`,
      );
    }
    if (Array.isArray(value)) return this.#array(value);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      this.byte(Tag.object);
      return this.#properties(value, Object.keys(value));
    }
    this.#special(value, prototype);
  }

  #properties(value: object, keys: string[]): void {
    this.#length(keys.length);
    for (const key of keys) {
      this.#string(key);
      this.#within(key, (value as Record<string, unknown>)[key]);
    }
  }

  #within(key: string | number, value: unknown): void {
    this.#path.push(key);
    this.value(value);
    this.#path.pop();
  }

  #array(value: unknown[]): void {
    const keys = Object.keys(value);
    // Of the keys of an array the indexes come first.
    let count = keys.length;
    while (count > 0 && !isIndex(keys[count - 1])) count--;
    if (count === value.length) {
      this.byte(Tag.array);
      this.#length(count);
      for (let i = 0; i < count; i++) this.#within(i, value[i]);
    } else {
      this.byte(Tag.holeyArray);
      this.#length(value.length);
      this.#length(count);
      for (const key of keys.slice(0, count)) {
        const index = Number(key);
        this.#length(index);
        this.#within(index, value[index]);
      }
    }
    this.#properties(value, keys.slice(count));
  }

  #special(value: object, prototype: object): void {
    if (value instanceof Thread || value instanceof Shared) {
      throw this.#refusal(
        `a ${value.constructor.name}, which threads of one process share`,
      );
    }
    const name = nameOf(prototype.constructor);
    if (name !== undefined && prototype.constructor.prototype === prototype) {
      if (Error.isError(value) && !(value instanceof DOMException)) {
        this.byte(Tag.errorInstance);
        this.#string(name);
        this.#errorFields(value);
        const travels = (key: string) => !ERROR_FIELDS.includes(key as never);
        return this.#properties(value, Object.keys(value).filter(travels));
      }
      if (BUILT_IN.some((Class) => value instanceof Class)) {
        throw this.#refusal(
          `an instance of ${name}, which extends a built-in class`,
        );
      }
      this.byte(Tag.instance);
      this.#string(name);
      return this.#properties(value, Object.keys(value));
    }
    if (this.#builtIn(value)) return;
    const { constructor } = prototype;
    throw this.#refusal(
      typeof constructor === "function" && constructor.name !== ""
        ? `an instance of ${constructor.name}, which is not registered`
        : "an object of an unknown class",
    );
  }

  /** Writes what the structured clone knows. */
  #builtIn(value: object): boolean {
    if (value instanceof Date) {
      this.byte(Tag.date);
      this.#double(value.getTime());
    } else if (value instanceof RegExp) {
      this.byte(Tag.regExp);
      this.#string(value.source);
      this.#string(value.flags);
    } else if (value instanceof Map) {
      this.byte(Tag.map);
      const entries = [...value];
      this.#length(entries.length);
      for (const [key, item] of entries) {
        this.#within("a key", key);
        this.#within(typeof key === "string" ? key : "a value", item);
      }
    } else if (value instanceof Set) {
      this.byte(Tag.set);
      const items = [...value];
      this.#length(items.length);
      for (const item of items) this.#within("an item", item);
    } else if (ArrayBuffer.isView(value)) {
      this.#bufferView(value);
    } else if (value instanceof ArrayBuffer) {
      if (value.detached) throw this.#refusal("a detached ArrayBuffer");
      this.byte(Tag.buffer);
      this.#raw(new Uint8Array(value));
    } else if (value instanceof DOMException) {
      this.byte(Tag.domException);
      this.#string(value.message);
      this.#string(value.name);
    } else if (Error.isError(value)) {
      this.#error(value);
    } else if (
      value instanceof Number || value instanceof String ||
      value instanceof Boolean || value instanceof BigInt
    ) {
      this.byte(Tag.boxed);
      this.value(value.valueOf());
    } else {
      return false;
    }
    return true;
  }

  #bufferView(view: ArrayBufferView): void {
    const kind = VIEWS.findIndex((View) => view instanceof View);
    if (kind < 0 || !(view.buffer instanceof ArrayBuffer)) {
      throw this.#refusal("a view of a buffer that cannot be copied");
    }
    this.byte(Tag.view);
    this.byte(kind);
    this.#length(view.byteOffset);
    this.#length(view instanceof DataView ? view.byteLength : lengthOf(view));
    this.#within("buffer", view.buffer);
  }

  #error(error: Error): void {
    this.byte(Tag.error);
    const known = ERRORS.get(error.name);
    this.#string(known !== undefined ? error.name : "Error");
    this.#errorFields(error);
  }

  #errorFields(error: Error): void {
    for (const key of ERROR_FIELDS) {
      if (Object.hasOwn(error, key)) {
        this.#within(key, (error as unknown as Record<string, unknown>)[key]);
      } else {
        this.byte(Tag.absent);
      }
    }
  }

  #refusal(reason: string): NotSendableError {
    const [what, ...path] = this.#path;
    const place = path.map((key) =>
      typeof key === "number" ? `[${key}]` : `.${key}`
    ).join("");
    return new NotSendableError(
      `Cannot send a value to another machine: ${what}${place} is ${reason}`,
    );
  }
}

function lengthOf(view: ArrayBufferView): number {
  return (view as Uint8Array).length;
}
