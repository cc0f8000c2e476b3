import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import { resolveObjectURL } from "node:buffer";
import {
  createSecretKey,
  generateKeyPairSync,
  KeyObject,
  X509Certificate,
} from "node:crypto";
import { SimpleQueue } from "../../queue/mod.ts";
import {
  Event,
  NotSendableError,
  SharedMap,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { collect, settleHeap } from "./heap_words.ts";
import {
  addUp,
  addUpInThreads,
  answer,
  Filler,
  gather,
  lookUp,
  make,
  Pixels,
  putAndStay,
  readOn,
  runModule,
  Upload,
} from "./platform_fixture.ts";

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

/** `put(value)` writes into the memory `e.m`. */
const module = new WebAssembly.Module(
  // deno-fmt-ignore
  new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00,
    0x02, 0x09, 0x01, 0x01, 0x65, 0x01, 0x6d, 0x02, 0x03, 0x01, 0x04,
    0x03, 0x02, 0x01, 0x00,
    0x07, 0x07, 0x01, 0x03, 0x70, 0x75, 0x74, 0x00, 0x00,
    0x0a, 0x0b, 0x01, 0x09, 0x00, 0x41, 0x00, 0x20, 0x00, 0x36, 0x02, 0x00, 0x0b,
  ]),
);

function makeMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
}

Deno.test("a SharedArrayBuffer is the same memory in all threads", () => {
  const view = new Int32Array(new SharedArrayBuffer(16));
  const copies = sendAround(view.buffer);
  assertEquals(copies.length, 3);
  for (const copy of copies) {
    assert(copy !== view.buffer);
    assertStrictEquals(
      Object.getPrototypeOf(copy),
      SharedArrayBuffer.prototype,
    );
    assertEquals(copy.byteLength, 16);
    Atomics.add(new Int32Array(copy), 0, 1);
  }
  assertEquals(view[0], 3);
  const threads = [1, 2, 3].map(() =>
    new Thread({ target: addUp, args: [view, 1000] })
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) thread.joinSync({ timeout });
  assertEquals(view[0], 3003);
});

Deno.test("a SharedArrayBuffer goes to threads of threads and back, with the main thread blocked", () => {
  const view = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Thread({ target: addUpInThreads, args: [view, 100] });
  thread.start();
  const made = thread.joinSync({ timeout });
  assertEquals([view[0], new Int32Array(made)[0]], [205, 5]);
});

Deno.test("a SharedArrayBuffer carries Atomics.wait from thread to thread", () => {
  const view = new Int32Array(new SharedArrayBuffer(8));
  const thread = new Thread({ target: answer, args: [view] });
  thread.start();
  Atomics.store(view, 0, 1);
  Atomics.notify(view, 0);
  assert(Atomics.wait(view, 1, 0, timeout) !== "timed-out");
  assert(thread.joinSync({ timeout }) !== "timed-out");
});

Deno.test("views on a SharedArrayBuffer keep kind, offset, length and their common buffer", () => {
  const buffer = new SharedArrayBuffer(64);
  const views = [
    new Uint8Array(buffer),
    new Float64Array(buffer, 8, 2),
    new DataView(buffer, 4, 5),
    new BigInt64Array(buffer, 64),
  ];
  for (const copy of sendAround({ views, buffer })) {
    const looks = (view: ArrayBufferView) => [
      Object.prototype.toString.call(view),
      view.byteOffset,
      view.byteLength,
    ];
    assertEquals(copy.views.map(looks), views.map(looks));
    for (const view of copy.views) {
      assertStrictEquals<unknown>(view.buffer, copy.buffer);
    }
    (copy.views[1] as Float64Array)[0]++;
  }
  assertEquals((views[1] as Float64Array)[0], 3);
});

Deno.test("a growable SharedArrayBuffer grows everywhere, and views follow it", () => {
  const buffer = new SharedArrayBuffer(8, { maxByteLength: 64 });
  const [copy] = sendAround([
    new Uint8Array(buffer),
    new Uint8Array(buffer, 0, 8),
    new Int32Array(buffer, 4),
    new DataView(buffer),
    new DataView(buffer, 0, 8),
  ]);
  buffer.grow(32);
  assertEquals(copy.map((view) => view.byteLength), [32, 8, 28, 32, 8]);
  const arrived = copy[0].buffer as SharedArrayBuffer;
  assertEquals([arrived.growable, arrived.maxByteLength], [true, 64]);
});

Deno.test("a WebAssembly.Memory and a Module arrive and work together", () => {
  const memory = makeMemory();
  const { buffer } = memory;
  const view = new Int32Array(buffer);
  const values = { memory, buffer, again: memory, module };
  for (const copy of sendAround(values)) {
    assertStrictEquals(
      Object.getPrototypeOf(copy.memory),
      WebAssembly.Memory.prototype,
    );
    assertStrictEquals(copy.memory, copy.again);
    assertStrictEquals<unknown>(copy.memory.buffer, copy.buffer);
    assertInstanceOf(copy.buffer, SharedArrayBuffer);
    Atomics.add(new Int32Array(copy.buffer), 0, 1);
    assertStrictEquals(
      Object.getPrototypeOf(copy.module),
      WebAssembly.Module.prototype,
    );
    assertEquals(WebAssembly.Module.exports(copy.module), [
      { name: "put", kind: "function" },
    ]);
  }
  assertEquals(view[0], 3);
  const [first, second] = sendAround([buffer, memory]) as unknown as [
    SharedArrayBuffer,
    WebAssembly.Memory,
  ][];
  assertEquals(first[0].byteLength, second[1].buffer.byteLength);

  const thread = new Thread({ target: runModule, args: [module, memory, 42] });
  thread.start();
  const back = thread.joinSync({ timeout });
  assertEquals([view[0], memory.buffer.byteLength], [42, 2 * 65536]);
  const { exports } = new WebAssembly.Instance(back, { e: { m: memory } });
  (exports.put as (value: number) => void)(43);
  assertEquals(view[0], 43);
});

Deno.test("raw memory travels in a thread's fields and in marked subclasses", () => {
  const filler = new Filler();
  filler.start();
  filler.joinSync({ timeout });
  assertEquals([filler.view!.byteOffset, filler.view!.length], [4, 1]);
  assertEquals(new Int32Array(filler.memory)[1], 3);
  const pixels = new Pixels(4);
  for (const copy of sendAround(pixels)) {
    assertInstanceOf(copy, Pixels);
    assertEquals([copy.width, copy.byteLength], [2, 4]);
    new Uint8Array(copy)[0]++;
  }
  assertEquals(new Uint8Array(pixels)[0], 3);
  class Unmarked extends SharedArrayBuffer {}
  assertThrows(
    () => sendAround(new Unmarked(1)),
    NotSendableError,
    "into class Unmarked",
  );
});

Deno.test("raw memory is the same key of a map in all threads", () => {
  const map = new SharedMap<SharedArrayBuffer, string>();
  const memory = new SharedArrayBuffer(8);
  map.set(memory, "it");
  for (const [key, expected] of [[memory, "it"], [new SharedArrayBuffer(8)]]) {
    const args = [map, key as SharedArrayBuffer] as const;
    const thread = new Thread({ target: lookUp, args });
    thread.start();
    assertEquals(thread.joinSync({ timeout }), expected);
  }
});

Deno.test("raw memory outlives the killed thread that put it into a queue", async () => {
  const queue = new SimpleQueue<[SharedArrayBuffer, Uint8Array]>();
  const thread = new Thread({ target: putAndStay, args: [queue] });
  thread.start();
  while (queue.qsize() === 0) await delay(1);
  thread.terminate();
  assertThrows(() => thread.joinSync({ timeout }), ThreadingError);
  await collect();
  const [memory, view] = queue.getSync({ timeout });
  assertEquals([new Int32Array(memory)[0], view.length], [9, 4]);
  assertStrictEquals<unknown>(view.buffer, memory);
});

Deno.test("raw memory can be read by many threads at once, some of them killed", async () => {
  const view = new Int32Array(new SharedArrayBuffer(4));
  const map = new SharedMap<string, Int32Array<SharedArrayBuffer>>();
  map.set("it", view);
  const stop = new Event();
  const begin = () => {
    const thread = new Thread({ target: readOn, args: [map, stop] });
    thread.start();
    return thread;
  };
  const staying = [begin()];
  for (let i = 0; i < 3; i++) {
    const seen = Atomics.load(view, 0);
    const victim = begin();
    while (Atomics.load(view, 0) < seen + 100) await delay(1);
    victim.terminate();
    assertThrows(() => victim.joinSync({ timeout }), ThreadingError);
  }
  stop.set();
  let counted = 0;
  for (const thread of staying) counted += thread.joinSync({ timeout });
  assert(counted > 0 && counted <= view[0], `${counted} of ${view[0]}`);
  Atomics.add(map.get("it")!, 0, -view[0]);
  assertEquals(view[0], 0);
});

Deno.test("raw memory goes from the store with the last that refers to it", async () => {
  const COUNT = 20;
  const { core } = Reflect.get(Deno, Reflect.get(Deno, "internal"));
  /** The number that the store gives next. */
  const nextNumber = (): number => {
    const bytes: Uint8Array = core.serialize(new SharedArrayBuffer(1));
    core.deserialize(bytes);
    let number = 0;
    for (let i = 3; i < bytes.length; i++) {
      number |= (bytes[i] & 0x7f) << 7 * (i - 3);
    }
    return number;
  };
  /** Takes out of the store what is there under a number. */
  const takeOut = (number: number): boolean => {
    const digits = [];
    for (; number > 0x7f; number >>= 7) digits.push(number & 0x7f | 0x80);
    try {
      core.deserialize(new Uint8Array([255, 16, 117, ...digits, number]));
      return true;
    } catch {
      return false;
    }
  };
  const first = nextNumber();
  const read = new SimpleQueue<SharedArrayBuffer[]>();
  const unread = new SimpleQueue<SharedArrayBuffer>();
  (() => {
    for (let i = 0; i < COUNT; i++) {
      const memory = new SharedArrayBuffer(8);
      read.putSync([memory, memory]);
      read.putSync([memory]);
      unread.putSync(new SharedArrayBuffer(8));
    }
    for (let i = 0; i < 2 * COUNT; i++) read.getSync();
  })();
  // The last ones may still be on the stack at first.
  for (let attempt = 0; attempt < 3; attempt++) await settleHeap();
  let left = 0;
  const end = nextNumber();
  for (let i = first; i < end; i++) {
    if (takeOut(i)) left++;
  }
  assert(left >= COUNT && left <= COUNT + 2, `${left - COUNT} are left`);
});

Deno.test("what else the platform has is refused, with what to do", () => {
  const queue = new SimpleQueue<unknown>();
  for (
    const [value, advice] of [
      [new WebAssembly.Memory({ initial: 1 }), "make it with `shared: true`"],
      [Object.create(SharedArrayBuffer.prototype), "send what it holds"],
      [Object.create(WebAssembly.Module.prototype), "send what it holds"],
      [new WebAssembly.Global({ value: "i32" }), "send what it holds"],
      [new ImageData(2, 2), "send what it holds"],
      [new DOMRect(), "send what it holds"],
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
