import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { decode } from "../../threading/_codec/decode.ts";
import { encode } from "../../threading/_codec/encode.ts";

const memory = new Uint8Array(new SharedArrayBuffer(64 * 1024 * 1024));

/** Through shared memory, at an odd place. */
function roundtrip<T>(value: T): T {
  const { bytes, length } = encode(value);
  memory.set(bytes.subarray(0, length), 13);
  const copy = decode(memory, 13, 13 + length) as T;
  memory.fill(0xff, 13, 13 + Math.min(length, 1 << 20));
  return copy;
}

const resizable = new ArrayBuffer(16, { maxByteLength: 64 });
const text = "The quick brown fox jumps over the lazy dog. ";

// deno-lint-ignore no-sparse-arrays
const holes = [1, , 3, ,];
const named = Object.assign([1, 2], { name: "n", "-1": 0, "1.0": 5 });
const shrunk = [1, 2, 3];
shrunk.length = 7;

const samples: Record<string, unknown> = {
  undefined,
  null: null,
  true: true,
  false: false,
  "0": 0,
  "-0": -0,
  "63": 63,
  "64": 64,
  "-1": -1,
  "2^31-1": 2 ** 31 - 1,
  "-2^31": -(2 ** 31),
  "2^31": 2 ** 31,
  "2^53": 2 ** 53,
  "0.1": 0.1,
  NaN,
  Infinity,
  "-Infinity": -Infinity,
  "Number.MIN_VALUE": Number.MIN_VALUE,
  "0n": 0n,
  "-1n": -1n,
  "2n**63n-1n": 2n ** 63n - 1n,
  "2n**63n": 2n ** 63n,
  "-(2n**63n)": -(2n ** 63n),
  "-(2n**63n)-1n": -(2n ** 63n) - 1n,
  "7n**5000n": 7n ** 5000n,
  "-(7n**5000n)": -(7n ** 5000n),
  "empty string": "",
  "ASCII of 20": text.slice(0, 20),
  "ASCII of 21": text.slice(0, 21),
  "ASCII of 63": (text + text).slice(0, 63),
  "ASCII of 64": (text + text).slice(0, 64),
  "ASCII of 9000": text.repeat(200),
  "NUL": "a\0b",
  latin1: "Käse für 3 €",
  "long latin1": "ÿ".repeat(100_000),
  "byte order mark": "\ufeffa",
  CJK: "糸を紡ぐ".repeat(3000),
  emoji: "🧶🧶",
  "lone surrogates": "\ud83e a \uddf6",
  "long lone surrogates": "\udfff".repeat(10_001) + "\ud83e",
  Number: Object(-0),
  String: Object("é"),
  "boxed true": Object(true),
  "boxed false": Object(false),
  BigInt: Object(5n),
  Date: new Date(1e12),
  "invalid Date": new Date(NaN),
  RegExp: /a\/(?<n>b)/giu,
  "RegExp v": new RegExp(String.raw`[\p{L}--[a-z]]`, "v"),
  "{}": {},
  "{ a }": { a: 1, b: undefined, c: { d: null } },
  "null prototype": Object.assign(Object.create(null), { a: 1 }),
  "made by Object.create": Object.assign(Object.create({ a: 1 }), { b: 2 }),
  "integer keys": { b: 1, 2: 2, 1: 1, a: 0 },
  "foreign keys": { "糸": 1, "": 2, "é": 3, "\ud800": 4 },
  "long key": { ["k".repeat(300)]: 1 },
  "many keys": Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`key${i}`, i]),
  ),
  "keys of Object.prototype": JSON.parse(
    '{"__proto__":1,"constructor":2,"toString":{"__proto__":[]}}',
  ),
  "symbol keys": { [Symbol.iterator]: 1, [Symbol.toStringTag]: "Map", a: 1 },
  getter: {
    get a() {
      return { b: 1 };
    },
  },
  "[]": [],
  "[undefined]": [undefined, null, undefined],
  "array of 31": Array.from({ length: 31 }, (_, i) => i),
  "array of 32": Array.from({ length: 32 }, (_, i) => i),
  "array of 10000": Array.from({ length: 10_000 }, (_, i) => i * 0.5),
  holes,
  named,
  "longer than its elements": shrunk,
  "length of 2^32-1": Object.assign(new Array(2 ** 32 - 1), { 4e9: "far" }),
  "regular expression match": "xab".match(/a(?<n>b)/),
  Map: new Map<unknown, unknown>([[NaN, 1], [{ a: 1 }, new Map()], ["", -0]]),
  Set: new Set<unknown>([1, "1", null, undefined, new Set([{}])]),
  ArrayBuffer: new Uint8Array([1, 2, 3]).buffer,
  "empty ArrayBuffer": new ArrayBuffer(0),
  "resizable ArrayBuffer": resizable,
  Uint8Array: new Uint8Array([1, 2, 255]),
  Int8Array: new Int8Array([-1, 2]),
  Uint8ClampedArray: new Uint8ClampedArray([300, 2]),
  Int16Array: new Int16Array([-300, 2]),
  Uint16Array: new Uint16Array([65535]),
  Int32Array: new Int32Array([-(2 ** 31)]),
  Uint32Array: new Uint32Array([2 ** 32 - 1]),
  Float16Array: new Float16Array([1.5, NaN]),
  Float32Array: new Float32Array([0.1]),
  Float64Array: new Float64Array([-0, NaN, 0.1]),
  BigInt64Array: new BigInt64Array([-1n]),
  BigUint64Array: new BigUint64Array([2n ** 64n - 1n]),
  DataView: new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
  "part of a buffer": new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  "view on a resizable buffer": new Uint8Array(resizable, 4, 4),
  "64 KiB": new Uint8Array(65536).fill(7),
  "object like arrays": { length: 2, 0: 1, 1: 2 },
  Math,
};

for (const [name, value] of Object.entries(samples)) {
  Deno.test(`encode() and decode() copy like structuredClone(): ${name}`, () => {
    const copy = roundtrip(value);
    const expected = structuredClone(value);
    if (Array.isArray(expected)) {
      assertEquals(
        Object.getOwnPropertyDescriptors(copy),
        Object.getOwnPropertyDescriptors(expected),
      );
      return;
    }
    assertEquals(copy, expected);
    assertStrictEquals(Object.is(copy, value), Object.is(expected, value));
    if (typeof expected !== "object" || expected === null) return;
    assertStrictEquals(
      Object.getPrototypeOf(copy),
      Object.getPrototypeOf(expected),
    );
    assertEquals(
      Object.getOwnPropertyNames(copy),
      Object.getOwnPropertyNames(expected),
    );
    assertEquals(
      roundtrip({ before: 1, value, after: "2" }),
      structuredClone({ before: 1, value, after: "2" }),
    );
  });
}

Deno.test("encode() and decode() reset lastIndex", () => {
  const regExp = /a/g;
  regExp.lastIndex = 3;
  assertEquals(roundtrip(regExp).lastIndex, 0);
});

Deno.test("encode() and decode() keep strings of 10 MB", () => {
  for (const unit of ["abcdefghij", "äöüß", "\ud800a"]) {
    const long = unit.repeat(10_000_000 / unit.length);
    assert(roundtrip({ long }).long === long);
  }
  const { bytes } = encode(1);
  assert(encode(2).bytes.length <= 1 << 20, `kept ${bytes.length}`);
});

Deno.test("encode() and decode() keep identity", () => {
  const shared = { a: 1 };
  const cyclic: Record<string, unknown> = { shared, again: [shared, shared] };
  cyclic.self = cyclic;
  cyclic.map = new Map<unknown, unknown>([[shared, cyclic]]);
  cyclic.set = new Set([cyclic, cyclic.map]);
  cyclic.date = new Date(0);
  cyclic.sameDate = cyclic.date;
  cyclic.boxed = Object(1);
  cyclic.sameBoxed = cyclic.boxed;
  // deno-lint-ignore no-explicit-any
  const copy: any = roundtrip(cyclic);
  assert(copy !== cyclic);
  assertStrictEquals(copy.self, copy);
  assertStrictEquals(copy.again[0], copy.shared);
  assertStrictEquals(copy.again[1], copy.shared);
  assertStrictEquals(copy.map.get(copy.shared), copy);
  assert(copy.set.has(copy) && copy.set.has(copy.map));
  assertStrictEquals(copy.sameDate, copy.date);
  assertStrictEquals(copy.sameBoxed, copy.boxed);
});

Deno.test("encode() and decode() keep the identity of many objects", () => {
  const objects = Array.from({ length: 1000 }, (_, i) => ({ i }));
  const copy = roundtrip([objects, objects.toReversed()]);
  for (let i = 0; i < 1000; i++) {
    assertStrictEquals(copy[0][i], copy[1][999 - i]);
    assertEquals(copy[0][i].i, i);
  }
});

Deno.test("encode() and decode() let views share their buffer", () => {
  const buffer = new ArrayBuffer(16);
  const copy = roundtrip({
    view: new DataView(buffer, 2),
    bytes: new Uint8Array(buffer, 4, 2),
    buffer,
  });
  assertStrictEquals(copy.view.buffer, copy.buffer);
  assertStrictEquals(copy.bytes.buffer, copy.buffer);
  assertEquals([copy.view.byteOffset, copy.view.byteLength], [2, 14]);
  assertEquals([copy.bytes.byteOffset, copy.bytes.length], [4, 2]);
});

Deno.test("encode() and decode() keep views that follow their buffer", () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
  const copy = roundtrip({
    buffer,
    follows: new Uint16Array(buffer, 2),
    fixed: new Uint8Array(buffer, 0, 8),
    view: new DataView(buffer),
  });
  copy.buffer.resize(12);
  assertEquals(copy.buffer.maxByteLength, 16);
  assertEquals(copy.follows.length, 5);
  assertEquals(copy.fixed.length, 8);
  assertEquals(copy.view.byteLength, 12);
});

Deno.test("decode() returns nothing that lies in the memory of the message", () => {
  const { bytes, length } = encode(new Uint8Array([1, 2, 3]));
  const message = bytes.slice(0, length);
  const copy = decode(message, 0, length) as Uint8Array;
  message.fill(0);
  assertEquals([...copy], [1, 2, 3]);
  assertEquals(copy.buffer.byteLength, 3);
});

Deno.test("encode() and decode() keep what is nested 100 000 deep", () => {
  type Link = { next?: unknown; depth: number };
  const wraps: Record<string, (inner: unknown) => unknown> = {
    array: (inner) => [inner],
    holes: (inner) => Object.assign([, inner], { a: 1 }),
    object: (inner): Link => ({ next: inner, depth: 1 }),
    map: (inner) => new Map([[inner, 1]]),
    set: (inner) => new Set([inner]),
  };
  for (const [name, wrap] of Object.entries(wraps)) {
    let value: unknown = { end: name };
    const end = value;
    for (let i = 0; i < 100_000; i++) value = wrap(value);
    let copy: unknown = roundtrip([value, end, "after"]);
    const [first, sameEnd, after] = copy as unknown[];
    copy = first;
    for (let i = 0; i < 100_000; i++) {
      if (Array.isArray(copy)) copy = copy.at(-1);
      else if (copy instanceof Map) [copy] = copy.keys();
      else if (copy instanceof Set) [copy] = copy;
      else copy = (copy as Link).next;
    }
    assertEquals(copy, { end: name });
    assertStrictEquals(copy, sameEnd);
    assertEquals(after, "after");
  }
});

Deno.test("encode() and decode() make a Uint8Array of a Buffer", () => {
  const copy = roundtrip<Uint8Array>(Buffer.from("skein"));
  assertStrictEquals(Object.getPrototypeOf(copy), Uint8Array.prototype);
  assertEquals(new TextDecoder().decode(copy), "skein");
});

Deno.test("decode() defines fields, whatever setters there are", () => {
  Object.defineProperty(Object.prototype, "trap", {
    configurable: true,
    set() {
      throw new Error("trapped");
    },
  });
  try {
    const own = Object.defineProperty({}, "trap", {
      value: 1,
      enumerable: true,
    });
    assertEquals(Object.entries(roundtrip(own)), [["trap", 1]]);
  } finally {
    Reflect.deleteProperty(Object.prototype, "trap");
  }
});

Deno.test("encode() and decode() copy 2000 random values like structuredClone()", () => {
  const seed = 20260801;
  const value = randomValues(seed);
  for (let i = 0; i < 2000; i++) {
    const original = value();
    assertEquals(
      roundtrip(original),
      structuredClone(original),
      `seed ${seed}, value ${i}`,
    );
  }
});

/** Makes a maker of random values of all kinds that refer to each other. */
function randomValues(seed: number): () => unknown {
  const met: unknown[] = [];
  function random(below: number): number {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  }
  function string(): string {
    const alphabets = ["abc", "aé", "糸a", "\ud800\udc00", "🧶a"];
    const alphabet = alphabets[random(alphabets.length)];
    const length = random(10) === 0 ? random(300) : random(12);
    return Array.from({ length }, () => alphabet[random(alphabet.length)])
      .join("");
  }
  function many<T>(make: () => T): T[] {
    return Array.from({ length: random(random(8) === 0 ? 40 : 5) }, make);
  }
  function object(depth: number): unknown {
    const inner = () => any(depth - 1);
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
        return Object.fromEntries(many(() => [string(), inner()]));
      case 3:
        return { id: random(1000), name: string(), tags: many(string) };
      case 4:
      case 5:
        return many(inner);
      case 6: {
        const array = many(inner);
        delete array[random(array.length + 1)];
        if (random(2) === 0) Object.assign(array, { [string()]: inner() });
        return array;
      }
      case 7:
        return new Map(many(() => [inner(), inner()]));
      case 8:
        return new Set(many(inner));
      case 9:
        return new Date(random(1e9));
      case 10:
        return Uint8Array.from(many(() => random(256)));
      default:
        return new Float64Array(many(() => random(100) / 7));
    }
  }
  function any(depth: number): unknown {
    switch (random(depth > 0 ? 14 : 8)) {
      case 0:
        return [undefined, null, true, false, NaN, -0][random(6)];
      case 1:
        return random(200) - 100;
      case 2:
        return (random(2 ** 31) - 2 ** 30) * 4;
      case 3:
        return random(2 ** 31) / 3;
      case 4:
        return BigInt(random(2 ** 31) - 2 ** 30) ** BigInt(random(9));
      case 5:
      case 6:
        return string();
      case 7:
        return met.length > 0 ? met[random(met.length)] : 0;
      default: {
        const made = object(depth);
        met.push(made);
        return made;
      }
    }
  }
  return () => {
    met.length = 0;
    return any(5);
  };
}
