/**
 * The encoder's output buffer, how primitive parts are put into it, and how the
 * encoder says that a value cannot be sent and where it sits.
 *
 * @module
 */

import { types } from "../../_internal/built_in.ts";
import { NotSendableError } from "../errors.ts";
import type { SharedObject } from "../_memory/shared_object.ts";
import { SHORT_TEXT, TEXT16, TEXT8 } from "./format.ts";

/**
 * The classes whose instances stay in the thread that made them, each with the
 * reason, for messages.
 */
// deno-lint-ignore ban-types
export const staying = new Map<Function, string>([
  [
    Promise,
    "a promise settles in one thread only; await it, and send its value",
  ],
]);

/** Whether a value is a Proxy. */
export const isProxy: (value: unknown) => boolean = types().isProxy;

/** Thrown by the encoder where it meets what it refuses. */
export class Refusal {
  /** The way to the refused value, innermost step first. */
  readonly path: string[] = [];

  constructor(readonly why: string, readonly value: unknown) {}

  /** The error for the caller of `encode`, which has its name for the value. */
  toError(root: string): NotSendableError {
    const where = `${root}${this.path.toReversed().join("")}`
      // The user knows the parts of a job, not the job.
      .replace(/^\.fields\b/, "this").replace(/^\./, "");
    return new NotSendableError(
      `Cannot send ${where}: ${this.why}, received ${describe(this.value)}`,
    );
  }
}

/**
 * Adds the step from a container to the value whose encoding threw `error`.
 * Errors of the user's own getters pass unchanged.
 */
export function within(step: string, error: unknown): unknown {
  if (error instanceof Refusal) error.path.push(step);
  return error;
}

/** The step to a property: `.name`, `[0]` or `["any thing"]`. */
export function property(key: string): string {
  if (/^(0|[1-9]\d*)$/.test(key)) return `[${key}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key)}]`;
}

/** The step to a value of a map, by its key where that can be written. */
export function entry(key: unknown, index: number): string {
  if (typeof key === "string") return `.get(${JSON.stringify(key)})`;
  return typeof key === "number" ? `.get(${key})` : `.values()[${index}]`;
}

function describe(value: unknown): string {
  if (isProxy(value)) return "[Proxy]";
  if (typeof value === "function") {
    return `[${isClass(value) ? "class" : "Function"} ${
      nameOf(value) || "(anonymous)"
    }]`;
  }
  if (typeof value !== "object" || value === null) return String(value);
  return `[object ${classNameOf(value)}]`;
}

/** The name of the class of `value`, without running code of the user's. */
export function classNameOf(value: object): string {
  const constructor = constructorOf(Object.getPrototypeOf(value));
  return (constructor && nameOf(constructor)) || "Object";
}

/**
 * The constructor whose `prototype` is exactly `prototype`; not an inherited
 * one, not one that a getter makes up.
 */
export function constructorOf(
  prototype: object | null,
  // deno-lint-ignore ban-types
): Function | undefined {
  if (prototype === null) return undefined;
  const value = Object.getOwnPropertyDescriptor(prototype, "constructor")
    ?.value;
  return typeof value === "function" && value.prototype === prototype
    ? value
    : undefined;
}

/** The name of a function or class, `""` when it has none. */
// deno-lint-ignore ban-types
export function nameOf(value: Function): string {
  const name = Object.getOwnPropertyDescriptor(value, "name")?.value;
  return typeof name === "string" ? name : "";
}

/** Whether `value` was written as a class. */
// deno-lint-ignore ban-types
export function isClass(value: Function): boolean {
  return Function.prototype.toString.call(value).startsWith("class");
}

/** Whether a class is none of the user's. */
// deno-lint-ignore ban-types
export function isOfPlatform(constructor: Function): boolean {
  return Reflect.get(globalThis, nameOf(constructor)) === constructor ||
    Function.prototype.toString.call(constructor).endsWith("[native code] }");
}

// The encoder's scratch and how primitive parts are put into it.

const FIRST_CAPACITY = 4096;

/** A scratch larger than this goes when a smaller message follows. */
const KEPT_CAPACITY = 1024 * 1024;

/** Heap addresses count words of 31 bits, so nothing longer can be stored. */
const MAX_CAPACITY = 2 ** 31 - 1;

/**
 * After `reserve()` this many bytes may be written unchecked: the longest of all
 * parts of fixed size is a new shape.
 */
const RESERVE = 512;

/** Up to here a scan of the list is faster than a `Map`. */
const SCANNED = 8;

/**
 * The objects met in one message.
 *
 * Invariant: `#numbers` is empty, or holds exactly the first `count` items of
 * `#list`, each with its index; items from `count` on are undefined.
 */
class Identities {
  #list: (object | undefined)[] = [];
  #numbers: Map<object, number> | undefined;
  /** How many objects were met; not to be changed from outside. */
  count = 0;

  /** The number of `object`, or -1 when it was not met. */
  find(object: object): number {
    if (this.#numbers !== undefined) return this.#numbers.get(object) ?? -1;
    const list = this.#list;
    for (let i = 0; i < this.count; i++) {
      if (list[i] === object) return i;
    }
    return -1;
  }

  /** Gives `object`, which was not met before, the next number. */
  add(object: object): void {
    const number = this.count++;
    this.#list[number] = object;
    if (this.#numbers !== undefined) {
      this.#numbers.set(object, number);
    } else if (number === SCANNED) {
      this.#numbers = new Map();
      for (let i = 0; i <= SCANNED; i++) this.#numbers.set(this.#list[i]!, i);
    }
  }

  /** Forgets all objects but the first `count`. */
  truncate(count: number): void {
    while (this.count > count) {
      const object = this.#list[--this.count]!;
      this.#list[this.count] = undefined;
      this.#numbers?.delete(object);
    }
  }

  /** Forgets all objects. */
  clear(): void {
    if (this.#numbers === undefined) {
      for (let i = 0; i < this.count; i++) this.#list[i] = undefined;
    } else {
      this.#list = [];
      this.#numbers = undefined;
    }
    this.count = 0;
  }
}

const encoder = new TextEncoder();

/** Stamps are never used twice in a thread, whichever writer takes them. */
let lastStamp = 0;

/**
 * One message being written.
 *
 * Invariant: the bytes below `length` are the message so far. A message that
 * failed leaves nothing behind: `begin` starts from whatever state it finds.
 */
export class Writer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_CAPACITY);
  words: Int32Array<ArrayBuffer> = new Int32Array(this.bytes.buffer);
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  length = 0;
  /** How many containers are open around the value being written. */
  depth = 0;
  /** What messages call the value; a `key` has bytes that tell which it is. */
  root: Root = "value";
  /** The distinct shared objects met. */
  references: SharedObject[] = [];
  /** The distinct ids of marked functions and classes met. */
  sendables: number[] = [];
  readonly identities: Identities = new Identities();
  /** Says which shapes belong to this message: those that bear it. */
  stamp = 0;
  shapes = 0;
  /** What `DEFERRED` left for later. */
  deferred: Deferred[] = [];

  /** The writer of what is neither plain nor an array is in `encode.ts`. */
  constructor(readonly writeOther: WriteOther) {}

  /** Starts a message. */
  begin(): void {
    if (
      this.bytes.length > KEPT_CAPACITY && this.length <= KEPT_CAPACITY / 2
    ) {
      this.#use(new Uint8Array(FIRST_CAPACITY));
    }
    this.length = 0;
    this.depth = 0;
    if (this.references.length > 0) this.references = [];
    if (this.sendables.length > 0) this.sendables = [];
    this.stamp = ++lastStamp;
    this.shapes = 0;
    if (this.identities.count > 0 || this.deferred.length > 0) this.end();
  }

  /** Lets go of the objects of the message; its bytes stay. */
  end(): void {
    this.identities.clear();
    if (this.deferred.length > 0) this.deferred = [];
  }

  /** Makes room for whatever has a fixed size. */
  reserve(): void {
    if (this.length + RESERVE > this.bytes.length) this.grow(RESERVE);
  }

  /** Makes room for `size` more bytes, and then `RESERVE`. */
  grow(size: number): void {
    const needed = this.length + size + RESERVE;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_CAPACITY) {
      throw new Refusal("its encoding is larger than 2 GiB", needed);
    }
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(
        Math.min(Math.max(needed, this.bytes.length * 2), MAX_CAPACITY),
      );
    } catch {
      throw new Refusal("there is no memory left to encode it", needed);
    }
    bytes.set(this.bytes.subarray(0, this.length));
    this.#use(bytes);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
    this.view = new DataView(bytes.buffer);
  }

  /** Writes a byte into reserved room. */
  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Writes a tag and a number of 32 bits into reserved room. */
  tagged(tag: number, value: number): void {
    this.bytes[this.length] = tag;
    this.view.setUint32(this.length + 1, value, true);
    this.length += 5;
  }

  /** Writes a number of 32 bits into reserved room. */
  uint32(value: number): void {
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** Writes a number of 64 bits into reserved room. */
  float64(value: number): void {
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /**
   * Fills reserved room up to a multiple of 8. Copying from and to shared memory
   * is several times slower where the addresses differ in their last bits.
   */
  align(): void {
    while (this.length & 7) this.bytes[this.length++] = 0;
  }

  /** Writes raw bytes; the room needs no reservation. */
  raw(source: Uint8Array): void {
    this.grow(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** Writes a string with its tag into reserved room, or more. */
  text(text: string): void {
    const size = text.length;
    if (size < 64) {
      const bytes = this.bytes;
      const start = this.length + 1;
      let i = 0;
      for (; i < size; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[start + i] = code;
      }
      if (i === size) {
        bytes[start - 1] = SHORT_TEXT + size;
        this.length = start + size;
        return;
      }
    }
    if (text.isWellFormed()) this.#utf8(text);
    else this.#utf16(text);
  }

  #utf8(text: string): void {
    this.tagged(TEXT8, 0);
    const start = this.length;
    // Most strings take a byte for each character; the others go on from
    // where the room ended, with room for the worst case.
    this.grow(text.length);
    let rest = text;
    while (true) {
      const { read, written } = encoder.encodeInto(
        rest,
        this.bytes.subarray(this.length),
      );
      this.length += written;
      if (read === rest.length) break;
      rest = rest.slice(read);
      this.grow(rest.length * 3);
    }
    this.view.setUint32(start - 4, this.length - start, true);
    this.reserve();
  }

  #utf16(text: string): void {
    this.tagged(TEXT16, text.length);
    this.grow(text.length * 2);
    const bytes = this.bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      bytes[at++] = code;
      bytes[at++] = code >>> 8;
    }
    this.length = at;
  }

  /** Notes that the message names a marked function or class. */
  sendable(id: number): void {
    if (!this.sendables.includes(id)) this.sendables.push(id);
  }

  /** What `rollBack` goes back to. */
  mark(): Mark {
    return {
      length: this.length,
      depth: this.depth,
      identities: this.identities.count,
      references: this.references.length,
      sendables: this.sendables.length,
      shapes: this.shapes,
      deferred: this.deferred.length,
    };
  }

  /** Forgets all that was written since `mark`. */
  rollBack(mark: Mark): void {
    this.length = mark.length;
    this.depth = mark.depth;
    this.identities.truncate(mark.identities);
    this.references.length = mark.references;
    this.sendables.length = mark.sendables;
    this.shapes = mark.shapes;
    this.deferred.length = mark.deferred;
    // Shapes that were numbered since then still bear the old stamp.
    this.stamp = ++lastStamp;
  }

  /** Takes the next number for a shape. */
  number(shape: Shape): void {
    shape.stamp = this.stamp;
    shape.number = this.shapes++;
  }
}

/**
 * What is encoded: any value, the key of a map, the result of a thread, or its
 * job, whose parts have names of their own.
 */
export type Root = "value" | "key" | "result" | "";

/** Writes the contents of an object: what follows its head. */
export type WriteContents = (
  w: Writer,
  object: object,
  keys: string[],
) => void;

/** A list of keys and its encoding. */
export interface Shape {
  readonly keys: string[];
  readonly block: Uint8Array<ArrayBuffer>;
  /** Its place in the caches of both sides. */
  readonly slot: number;
  /** The stamp of the last message that it was in, and its number there. */
  stamp: number;
  number: number;
}

/** Writes an object that is not plain and not an array. */
type WriteOther = (
  w: Writer,
  object: object,
  prototype: object | null,
) => void;

/** An object whose contents are still to be written. */
interface Deferred {
  readonly object: object;
  readonly keys: string[];
  readonly write: WriteContents;
}

/** A state of a `Writer`. */
interface Mark {
  length: number;
  depth: number;
  identities: number;
  references: number;
  sendables: number;
  shapes: number;
  deferred: number;
}
