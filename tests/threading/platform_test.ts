import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { resolveObjectURL } from "node:buffer";
import {
  createSecretKey,
  generateKeyPairSync,
  KeyObject,
  X509Certificate,
} from "node:crypto";
import { SimpleQueue } from "../../queue/mod.ts";
import { NotSendableError, SharedMap, Thread } from "../../threading/mod.ts";
import { collect, settleHeap } from "./heap_words.ts";
import { gather, make, Upload } from "./platform_fixture.ts";

const timeout = 30_000;

/** What arrives of a value that goes to a thread in each way, and back. */
function sendAround<T>(value: T): T[] {
  const queue = new SimpleQueue<unknown>();
  const map = new SharedMap<string, unknown>();
  queue.putSync(value);
  map.set("it", value);
  const thread = new Thread({ target: gather, args: [value, queue, map] });
  thread.start();
  return thread.joinSync({ timeout }) as T[];
}

Deno.test("a Blob arrives, with the main thread blocked", async () => {
  const blob = new Blob(["text ", new Uint8Array([65, 66])], { type: "a/b" });
  for (const copy of sendAround(blob)) {
    assert(copy !== blob);
    assertStrictEquals(Object.getPrototypeOf(copy), Blob.prototype);
    assertEquals([copy.size, copy.type], [7, "a/b"]);
    assertEquals(await copy.text(), "text AB");
  }
});

Deno.test("a File arrives, and an instance of a marked subclass", async () => {
  const file = new File(["text"], "nämé.txt", { type: "a/b", lastModified: 7 });
  for (const copy of sendAround(file)) {
    assertStrictEquals(Object.getPrototypeOf(copy), File.prototype);
    assertEquals(
      [copy.name, copy.type, copy.lastModified, await copy.text()],
      ["nämé.txt", "a/b", 7, "text"],
    );
  }
  const upload = new Upload(["text"], "name");
  upload.tries = 2;
  for (const copy of sendAround(upload)) {
    assertInstanceOf(copy, Upload);
    assertEquals([copy.name, copy.tries, await copy.text()], [
      "name",
      2,
      "text",
    ]);
  }
  class Unmarked extends Blob {}
  assertThrows(
    () => sendAround(new Unmarked()),
    NotSendableError,
    "into class Unmarked",
  );
});

Deno.test("a Blob keeps its identity in a message", () => {
  const queue = new SimpleQueue<unknown[]>();
  const blob = new Blob(["text"]);
  queue.putSync([blob, { blob }, new Blob(["other"])]);
  const [first, second, other] = queue.getSync() as [
    Blob,
    { blob: Blob },
    Blob,
  ];
  assertStrictEquals(first, second.blob);
  assert(first !== other);
});

Deno.test("a Blob outlives the thread that made it", async () => {
  const thread = new Thread({ target: make, args: ["made "] });
  thread.start();
  const blob = await thread.join({ timeout });
  await collect();
  assertEquals(await blob.text(), "made 23");
});

Deno.test("a Blob's URL goes with the last that refers to it", async () => {
  const COUNT = 20;
  const made: string[] = [];
  const { createObjectURL } = URL;
  const queue = new SimpleQueue<unknown>();
  URL.createObjectURL = (blob) => {
    made.push(createObjectURL(blob));
    return made.at(-1)!;
  };
  try {
    (() => {
      for (let i = 0; i < COUNT; i++) {
        const blob = new Blob([`${i}`]);
        queue.putSync({ blob });
        queue.putSync([blob, blob]);
      }
    })();
  } finally {
    URL.createObjectURL = createObjectURL;
  }
  await settleHeap();
  assertEquals(made.length, COUNT);
  assert(made.every((url) => resolveObjectURL(url) !== undefined));
  const items = queue.qsize();
  const texts: string[] = [];
  for (let i = 0; i < items; i++) {
    const item = queue.getSync() as { blob: Blob } | Blob[];
    texts.push(await (Array.isArray(item) ? item[1] : item.blob).text());
  }
  assertEquals(texts.slice(0, 4).join(""), "0011");
  let left = made;
  // The last one may still be on the stack.
  for (let attempt = 0; attempt < 10 && left.length > 1; attempt++) {
    await settleHeap();
    left = left.filter((url) => resolveObjectURL(url) !== undefined);
  }
  assert(left.length <= 1, `${left.length} are left`);
});

Deno.test("CryptoKeys of all kinds arrive", async () => {
  const { subtle } = crypto;
  const rsa = {
    modulusLength: 1024,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  };
  const made = await Promise.all([
    subtle.generateKey({ name: "HMAC", hash: "SHA-384" }, false, ["sign"]),
    subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]),
    subtle.generateKey({ name: "RSA-PSS", ...rsa }, false, ["sign"]),
    subtle.generateKey({ name: "RSA-OAEP", ...rsa }, false, ["decrypt"]),
    subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
      "sign",
    ]),
    subtle.generateKey({ name: "ECDH", namedCurve: "P-384" }, false, [
      "deriveBits",
    ]),
    subtle.generateKey("Ed25519", false, ["sign"]),
    subtle.importKey("raw", new Uint8Array(8), "HKDF", false, ["deriveBits"]),
  ] as Promise<CryptoKey | CryptoKeyPair>[]);
  const keys = made.flatMap((key) =>
    key instanceof CryptoKey ? [key] : [key.privateKey, key.publicKey]
  );
  const looks = (key: unknown) => Deno.inspect(key, { depth: 9 });
  for (const copies of sendAround(keys)) {
    assertEquals(copies.map(looks), keys.map(looks));
  }
  const [key] = keys;
  const [copy] = sendAround(key);
  assertEquals(
    await subtle.sign("HMAC", copy, new Uint8Array(3)),
    await subtle.sign("HMAC", key, new Uint8Array(3)),
  );
});

Deno.test("KeyObjects and certificates arrive", () => {
  const secret = createSecretKey(new Uint8Array([1, 2, 3]));
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  for (const key of [secret, publicKey, privateKey]) {
    for (const copy of sendAround(key)) {
      assert(copy instanceof KeyObject && copy.equals(key));
    }
  }
  const certificate = new X509Certificate(CERTIFICATE);
  for (const copy of sendAround(certificate)) {
    assertInstanceOf(copy, X509Certificate);
    assertEquals(copy.fingerprint256, certificate.fingerprint256);
  }
});

Deno.test("what else the platform can clone is refused, with what to do", () => {
  const queue = new SimpleQueue<unknown>();
  const module = new WebAssembly.Module(
    new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]),
  );
  const memory = new WebAssembly.Memory({
    initial: 1,
    maximum: 1,
    shared: true,
  });
  for (
    const [value, advice] of [
      [module, "send its bytes and compile them there"],
      [memory, "use SharedArray"],
      [new SharedArrayBuffer(8), "use SharedArray"],
      [new Uint8Array(new SharedArrayBuffer(8)), "use SharedArray"],
      [new MessageChannel().port1, "send what it holds"],
    ] as const
  ) {
    assertThrows(() => queue.putSync([value]), NotSendableError, advice);
    const thread = new Thread({ target: gather, args: [value] as never });
    assertThrows(() => thread.start(), NotSendableError, "Cannot send args[0]");
  }
});

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIUeNImHW6Od3xgbjE48xriis9S4qMwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjcwODU5MjdaGA8yMTI2MTEwMzA4
NTkyN1owEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABOs6qmFM4rItPgfo7gIEKIfTx82Cwp4pIPTCFhVeAjHtYWQfQvl7DEewVz7T
ORR6LVqID8dyz84qQWloIK6pzCKjUzBRMB0GA1UdDgQWBBSviaAuH/3xHUq7aOTY
haIG5C88ajAfBgNVHSMEGDAWgBSviaAuH/3xHUq7aOTYhaIG5C88ajAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIFcu5kGQVLGkE55L2jl4QdLjDyXf
JyQFCstcxiDIsIQ7AiBJiOeFUw1eG5O7+uNX3Ri1dtsbwhwn0Q5sFhNKXvXrpw==
-----END CERTIFICATE-----`;
