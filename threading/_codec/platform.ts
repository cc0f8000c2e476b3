/**
 * Objects of the platform that structured cloning copies and that other threads
 * can make again at once, without an event loop:
 *
 * - a Blob or File by a `blob:` URL, under which its bytes are in the store that
 *   all threads of the process have: nothing is copied;
 * - keys and certificates by their content, also of keys that are not
 *   extractable, as cloning does;
 * - raw shared memory and compiled modules, which have no content that could be
 *   copied, by their place in the platform's store, see `Kept`.
 *
 * @module
 */

import { builtIn, core, deno, types } from "../../_internal/built_in.ts";
import { bytes, Field, self, Slot, words } from "../_memory/heap.ts";
import {
  damagedError,
  lock,
  requireStack,
  tryLock,
  unlock,
} from "../_memory/mutex.ts";
import { registerClass } from "../_memory/shared_class.ts";
import {
  ADDRESS,
  addressOf,
  createObject,
  objectAt,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  BLOB,
  CERTIFICATE,
  CRYPTO_KEY,
  FILE,
  KEPT,
  KEPT_MEMORY,
  KEY,
  type Reader,
} from "./format.ts";
import { nameOf, Refusal, type Writer } from "./writer.ts";

/** What there is of `node:crypto`, which the types do not have. */
interface Key {
  readonly type: "secret" | "private" | "public";
  export(options?: { format: "der"; type: "pkcs8" | "spki" }): Uint8Array;
  toCryptoKey(
    algorithm: unknown,
    extractable: boolean,
    usages: readonly string[],
  ): CryptoKey;
}
interface Certificate {
  readonly raw: Uint8Array;
}
interface Crypto {
  readonly KeyObject: { from(key: CryptoKey): Key };
  readonly X509Certificate: new (raw: Uint8Array) => Certificate;
  createSecretKey(bytes: Uint8Array): Key;
  createPrivateKey(key: object): Key;
  createPublicKey(key: object): Key;
}

function cryptoModule(): Crypto {
  return builtIn("node:crypto") as unknown as Crypto;
}

/** Writes an object of the platform. */
type WritePlatform = (
  w: Writer,
  object: object,
  writeValue: (w: Writer, value: unknown) => void,
) => void;

/** The classes of the platform that classes of the user may extend. */
const { Memory, Module } = WebAssembly;
const extensible = new Set<unknown>([
  Blob,
  File,
  SharedArrayBuffer,
  Memory,
  Module,
]);

/** How to write an instance of one of these, or of a class that extends one. */
export function platformBaseOf(
  object: object,
): ((w: Writer, object: object) => void) | undefined {
  if (object instanceof Blob) return writeBlob;
  return isKeepable(object) ? writeKept : undefined;
}

/** How to write an object of that constructor, if it is one of these. */
export function platformOf(
  object: object,
  // deno-lint-ignore ban-types
  constructor: Function | undefined,
): WritePlatform | undefined {
  const base = platformBaseOf(object);
  if (base !== undefined) {
    return extensible.has(constructor) ? base : undefined;
  }
  const { isCryptoKey, isKeyObject } = builtIn("node:util/types");
  if (isCryptoKey(object)) return writeCryptoKey as WritePlatform;
  if (isKeyObject(object)) {
    return writeKeyObject as unknown as WritePlatform;
  }
  if (
    constructor !== undefined && nameOf(constructor) === "X509Certificate" &&
    object instanceof cryptoModule().X509Certificate
  ) return writeCertificate as unknown as WritePlatform;
  return undefined;
}

/** Reads what {@linkcode platformOf} wrote. */
export function readPlatform(
  r: Reader,
  tag: number,
  readValue: (r: Reader, tag: number) => unknown,
): unknown {
  switch (tag) {
    case BLOB:
      return r.add(readBlob(r));
    case FILE: {
      const blob = readBlob(r);
      const name = r.string();
      const lastModified = r.float64();
      return r.add(new File([blob], name, { type: blob.type, lastModified }));
    }
    case KEY:
      return r.add(readKey(r));
    case CRYPTO_KEY: {
      const key = readKey(r);
      const algorithm = readValue(r, r.byte());
      const usages = readValue(r, r.byte()) as string[];
      return r.add(key.toCryptoKey(algorithm, r.byte() === 1, usages));
    }
    case CERTIFICATE:
      return r.add(new (cryptoModule().X509Certificate)(readBytes(r)));
    case KEPT:
      return r.add(readKept(r));
    case KEPT_MEMORY: {
      const memory = r.add(readKept(r));
      r.add(bufferOf(memory));
      return memory;
    }
    default:
      throw new RangeError(`Cannot decode a value: received the tag ${tag}`);
  }
}

/** Words of a {@linkcode BlobUrl}: the length of the URL, then the URL. */
const UrlField = { length: Field.own, text: Field.own + 1 } as const;

/**
 * The URL of a Blob, which is valid as long as this object is there: as a record
 * refers to it, or the thread that sent the Blob has that.
 */
class BlobUrl extends SharedObject {
  constructor(url: string) {
    const words = UrlField.text + (url.length + 3 >> 2);
    super(createObject(KIND, words));
    writeUrl(addressOf(this), url);
  }
}

const revoke = URL.revokeObjectURL;
const KIND = registerClass(import.meta, {
  constructor: BlobUrl,
  // A call of the platform alone, which neither waits nor throws.
  destroy: (address) => revoke(urlAt(address)),
});

function writeUrl(address: number, url: string): void {
  for (let i = 0; i < url.length; i++) {
    bytes[UrlField.text * 4 + address * 4 + i] = url.charCodeAt(i);
  }
  words[address + UrlField.length] = url.length;
}

function urlAt(address: number): string {
  const start = (address + UrlField.text) * 4;
  const length = words[address + UrlField.length];
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** The URLs of the Blobs that this thread has sent. */
const urls = new WeakMap<Blob, BlobUrl>();

function urlOf(blob: Blob): BlobUrl {
  let url = urls.get(blob);
  if (url === undefined) {
    url = new BlobUrl(URL.createObjectURL(blob));
    urls.set(blob, url);
  }
  return url;
}

/** Writes a Blob or File, of whatever class, without its class. */
function writeBlob(w: Writer, blob: object): void {
  writeUrlOf(w, blob as Blob);
}

function writeUrlOf(w: Writer, blob: Blob): void {
  // Node finds a blob's URL only in the thread that made it.
  if (deno === undefined) {
    throw new Refusal(
      "this runtime has no way to send it: send its bytes",
      blob,
    );
  }
  const url = urlOf(blob);
  if (!w.references.includes(url)) w.references.push(url);
  w.tagged(blob instanceof File ? FILE : BLOB, addressOf(url));
  if (blob instanceof File) {
    w.text(blob.name);
    w.reserve();
    w.float64(blob.lastModified);
  }
  w.identities.add(blob);
}

function readBlob(r: Reader): Blob {
  const url = urlAt(r.uint32());
  const { resolveObjectURL } = builtIn("node:buffer") as unknown as {
    resolveObjectURL(url: string): Blob;
  };
  return resolveObjectURL(url);
}

// `core` makes bytes of a value and a value of bytes, as the platform does for
// messages to workers. A buffer or module goes into a store that the whole
// process has, and the bytes have its number there. To deserialize them takes
// it out of the store, so it can be done once.
//
// For what is written here, neither runs code of the user's, whatever the
// object's prototype, so they may be called in critical sections.

/** Words of a {@linkcode Kept}: the length of the bytes, then the bytes. */
const KeptField = { length: Field.own, bytes: Field.own + 1 } as const;
/** Enough for the longest: those of a memory have 40. */
const KEPT_BYTES = 64;
const KEPT_WORDS = KeptField.bytes + KEPT_BYTES / 4;

/**
 * Keeps raw shared memory or a module in the store, as long as a record
 * refers to it, or a thread has a value that was sent or received.
 *
 * A thread that reads the value takes it out of the store and puts it back, in
 * one critical section: no thread finds it missing, or is killed with it.
 */
class Kept extends SharedObject {
  constructor(value: object) {
    super(createObject(KEPT_KIND, KEPT_WORDS));
    const address = addressOf(this);
    requireStack();
    lock(address + Field.mutex);
    keep(address, value);
    unlock(address + Field.mutex);
  }
}

const KEPT_KIND = registerClass(import.meta, {
  constructor: Kept,
  destroy(address) {
    if (words[address + KeptField.length] === 0) return;
    try {
      core!.deserialize(keptBytes(address));
    } catch {
      // No room for it in this thread; so it stays in the store.
    }
  },
});

function keep(address: number, value: object): void {
  const content = core!.serialize(value);
  const start = (address + KeptField.bytes) * 4;
  for (let i = 0; i < content.length; i++) bytes[start + i] = content[i];
  words[address + KeptField.length] = content.length;
}

function keptBytes(address: number): Uint8Array {
  const start = (address + KeptField.bytes) * 4;
  return bytes.slice(start, start + words[address + KeptField.length]);
}

/**
 * The value of a {@linkcode Kept}. Should the thread run out of memory between
 * the two steps, the object is damaged, as after any section left half-way.
 */
function valueOf(address: number): object {
  requireStack();
  if (!tryLock(address + Field.mutex)) {
    throw damagedError("raw shared memory or a module that was sent");
  }
  const value = core!.deserialize(keptBytes(address));
  keep(address, value);
  unlock(address + Field.mutex);
  return value;
}

/** The values that this thread has sent or received. */
const kept = new WeakMap<object, Kept>();

function keptOf(value: object): Kept {
  let keeper = kept.get(value);
  if (keeper === undefined || words[keeper[ADDRESS] + Field.damaged] !== 0) {
    keeper = new Kept(value);
    kept.set(value, keeper);
  }
  return keeper;
}

const bufferGetter = Object.getOwnPropertyDescriptor(
  Memory.prototype,
  "buffer",
)!.get!;

function bufferOf(memory: object): object {
  return bufferGetter.call(memory);
}

/** Whether it is raw shared memory or a module, also of a class of the user. */
function isKeepable(object: object): boolean {
  if (object instanceof SharedArrayBuffer) {
    return types().isSharedArrayBuffer(object);
  }
  try {
    if (object instanceof Memory) return bufferOf(object) !== undefined;
    // Throws for what only looks like a module.
    return object instanceof Module &&
      Module.customSections(object, "-") !== undefined;
  } catch {
    return false;
  }
}

/**
 * Writes raw shared memory or a module, of whatever class, without its class.
 * The buffer of a memory arrives as that of the memory where it comes behind
 * it in a message.
 */
export function writeKept(w: Writer, value: object): void {
  // A view of a SharedArray lies in the heap itself, which is nobody's to send.
  if (value === words.buffer) {
    throw new Refusal("it is a part of a SharedArray, send that", value);
  }
  const isMemory = value instanceof Memory;
  if (isMemory && !types().isSharedArrayBuffer(bufferOf(value))) {
    throw new Refusal(
      "this memory is not shared: make it with `shared: true`, or send its " +
        "buffer, which is copied",
      value,
    );
  }
  if (core === undefined) {
    throw new Refusal("this runtime has no way to send it", value);
  }
  const keeper = keptOf(value);
  if (!w.references.includes(keeper)) w.references.push(keeper);
  w.tagged(isMemory ? KEPT_MEMORY : KEPT, addressOf(keeper));
  w.identities.add(value);
  if (!isMemory) return;
  const buffer = bufferOf(value);
  // The reader numbers it in any case.
  w.identities.add(w.identities.find(buffer) < 0 ? buffer : {});
}

function readKept(r: Reader): object {
  const address = r.uint32();
  const keeper = objectAt(address) as Kept;
  const value = valueOf(address);
  kept.set(value, keeper);
  return value;
}

/**
 * Whether the length of a view of a growable buffer follows its buffer's. Only
 * the platform's bytes tell it: the lowest bit of their last one.
 */
export function isTrackingShared(view: ArrayBufferView): boolean {
  requireStack();
  // In one critical section, or a killed thread leaves the buffer in the store.
  lock(self + Slot.mutex);
  const content = core!.serialize(view);
  core!.deserialize(content);
  unlock(self + Slot.mutex);
  return (content[content.length - 1] & 1) === 1;
}

const KEY_TYPES = ["secret", "private", "public"] as const;

function writeKey(w: Writer, key: Key): void {
  const content = key.type === "secret" ? key.export() : key.export({
    format: "der",
    type: key.type === "private" ? "pkcs8" : "spki",
  });
  w.byte(KEY_TYPES.indexOf(key.type));
  writeBytes(w, content);
}

function readKey(r: Reader): Key {
  const type = KEY_TYPES[r.byte()];
  const key = readBytes(r);
  const { createPrivateKey, createPublicKey, createSecretKey } = cryptoModule();
  if (type === "secret") return createSecretKey(key);
  return type === "private"
    ? createPrivateKey({ key, format: "der", type: "pkcs8" })
    : createPublicKey({ key, format: "der", type: "spki" });
}

function writeBytes(w: Writer, content: Uint8Array): void {
  w.uint32(content.length);
  w.raw(content);
}

function readBytes(r: Reader): Uint8Array {
  return r.raw(r.uint32());
}

function writeKeyObject(w: Writer, key: Key): void {
  w.byte(KEY);
  writeKey(w, key);
  w.identities.add(key);
}

function writeCryptoKey(
  w: Writer,
  key: CryptoKey,
  writeValue: (w: Writer, value: unknown) => void,
): void {
  let object: Key;
  try {
    object = cryptoModule().KeyObject.from(key);
  } catch {
    throw new Refusal("a key of this kind lives in one thread only", key);
  }
  w.byte(CRYPTO_KEY);
  writeKey(w, object);
  writeValue(w, key.algorithm);
  writeValue(w, key.usages);
  w.byte(key.extractable ? 1 : 0);
  w.identities.add(key);
}

function writeCertificate(w: Writer, certificate: Certificate): void {
  w.byte(CERTIFICATE);
  writeBytes(w, certificate.raw);
  w.identities.add(certificate);
}
