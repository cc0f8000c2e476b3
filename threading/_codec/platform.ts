/**
 * Objects of the platform that structured cloning copies and that other threads
 * can make again at once, without an event loop:
 *
 * - a Blob or File by a `blob:` URL, under which its bytes are in the store that
 *   all threads of the process have: nothing is copied;
 * - keys and certificates by their content, also of keys that are not
 *   extractable, as cloning does.
 *
 * @module
 */

import { isCryptoKey, isKeyObject } from "node:util/types";
import { bytes, Field, words } from "../_memory/heap.ts";
import {
  addressOf,
  createObject,
  registerClass,
  SharedObject,
} from "../_memory/shared_object.ts";
import type { Reader } from "./reader.ts";
import { nameOf, Refusal, type Writer } from "./writer.ts";
import { BLOB, CERTIFICATE, CRYPTO_KEY, FILE, KEY } from "./format.ts";

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

/** A module of Node's that few programs need. */
function builtin(name: string): unknown {
  return Reflect.get(globalThis, "process").getBuiltinModule(name);
}

function cryptoModule(): Crypto {
  return builtin("node:crypto") as Crypto;
}

/** Writes an object of the platform. */
type WritePlatform = (
  w: Writer,
  object: object,
  writeValue: (w: Writer, value: unknown) => void,
) => void;

/** How to write an object of that constructor, if it is one of these. */
export function platformOf(
  object: object,
  // deno-lint-ignore ban-types
  constructor: Function | undefined,
): WritePlatform | undefined {
  if (object instanceof Blob) {
    return constructor === Blob || constructor === File ? writeBlob : undefined;
  }
  if (isCryptoKey(object)) return writeCryptoKey as WritePlatform;
  if (isKeyObject(object)) return writeKeyObject as unknown as WritePlatform;
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
export function writeBlob(w: Writer, blob: object): void {
  writeUrlOf(w, blob as Blob);
}

function writeUrlOf(w: Writer, blob: Blob): void {
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
  const { resolveObjectURL } = builtin("node:buffer") as {
    resolveObjectURL(url: string): Blob;
  };
  return resolveObjectURL(url);
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
