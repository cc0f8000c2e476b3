import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { decode } from "../../threading/_codec/decode.ts";
import { encode } from "../../threading/_codec/encode.ts";
import { NotSendableError } from "../../threading/errors.ts";

function roundtrip<T>(value: T): T {
  const { bytes, length } = encode(value);
  return decode(bytes.slice(0, length), 0, length) as T;
}

function refused(value: unknown): string {
  return assertThrows(() => encode(value), NotSendableError).message;
}

Deno.test("encode() says that the stack is too small", () => {
  const value = { a: [{ b: 1 }] };
  function deeper(): void {
    try {
      encode(value);
    } catch (error) {
      assertInstanceOf(error, NotSendableError);
    }
    deeper();
  }
  try {
    deeper();
  } catch {
    // The test has no stack left either.
  }
  assertEquals(roundtrip(value), value);
});

Deno.test("encode() says where a value cannot be sent", () => {
  class Plain {}
  const inside = { items: [0, 1, 2, { callback: () => {} }] };
  const message = refused(inside);
  assert(
    message.startsWith("Cannot send value.items[3].callback: a function"),
    message,
  );
  assert(message.includes("sendable(import.meta"), message);
  assert(message.endsWith("received [Function callback]"), message);
  const places: [unknown, string][] = [
    [Symbol("s"), "value: a symbol"],
    [() => {}, "value: a function"],
    [Plain, "value: a class travels"],
    [new Plain(), "value: its class is not marked"],
    [{ "a b": [new Plain()] }, 'value["a b"][0]: its class'],
    [new Map([["k", Symbol()]]), 'value.get("k"): a symbol'],
    [new Map([[Symbol(), 1]]), "value.keys()[0]: a symbol"],
    [new Map([[{}, Symbol()]]), "value.values()[0]: a symbol"],
    [new Set([1, Symbol()]), "value.values()[1]: a symbol"],
    [new Error("", { cause: Symbol() }), "value.cause: a symbol"],
    [Object.assign([1], { x: [Symbol()] }), "value.x[0]: a symbol"],
  ];
  for (const [value, start] of places) {
    const message = refused(value);
    assert(message.startsWith(`Cannot send ${start}`), message);
  }
});

Deno.test("encode() refuses what structuredClone() refuses", () => {
  const detached = new ArrayBuffer(4);
  detached.transfer();
  const shrinking = new ArrayBuffer(8, { maxByteLength: 16 });
  const outOfBounds = new Uint8Array(shrinking, 4, 4);
  const view = new DataView(shrinking, 4, 4);
  shrinking.resize(4);
  const values: unknown[] = [
    ...[Symbol(), Object(Symbol()), () => {}, class {}, Math.max],
    ...[new WeakMap(), new WeakSet(), new WeakRef({}), Promise.resolve()],
    ...[[].values(), new Map().entries(), "".matchAll(/a/g)],
    (function* () {})(),
    (async function* () {})(),
    ...[new Proxy({}, {}), new Proxy([], {}), new Proxy(() => {}, {})],
    ...[detached, outOfBounds, view],
    ...[new URL("https://deno.com"), new Headers(), new ReadableStream()],
    new Intl.NumberFormat(),
  ];
  for (const value of values) refused({ value });
});

Deno.test("encode() refuses what needs a message channel", () => {
  const { port1, port2 } = new MessageChannel();
  for (const value of [port1, new TransformStream()]) {
    assert(refused(value).includes("of the platform"));
  }
  port1.close();
  port2.close();
});

Deno.test("encode() refuses unmarked subclasses of built-in classes", () => {
  class MyMap extends Map {}
  class MySet extends Set {}
  class MyArray extends Array {}
  class MyBytes extends Uint8Array {}
  class MyDate extends Date {}
  for (const Class of [MyMap, MySet, MyArray, MyBytes, MyDate]) {
    assert(refused(new Class()).includes(`into class ${Class.name}`));
  }
});

Deno.test("encode() lets errors of getters pass and stays usable", () => {
  const thrown = new Error("mine");
  const bad = {
    a: { b: [1] },
    get c() {
      throw thrown;
    },
  };
  assertStrictEquals(assertThrows(() => encode(bad)), thrown);
  assertEquals(roundtrip({ a: { b: [1] } }), { a: { b: [1] } });
  refused({ a: { b: [1] }, c: Symbol() });
  assertEquals(encode(1).references, []);
  assertEquals(roundtrip({ a: { b: [1] } }), { a: { b: [1] } });
});

Deno.test("encode() may be called by a getter", () => {
  const shared = { x: 1 };
  const value = {
    a: shared,
    get b() {
      return roundtrip({ x: 2, list: [{ x: 1 }, "inner"] });
    },
    c: { x: 3 },
    d: shared,
  };
  const copy = roundtrip(value);
  assertEquals(copy, {
    a: { x: 1 },
    b: { x: 2, list: [{ x: 1 }, "inner"] },
    c: { x: 3 },
    d: { x: 1 },
  });
  assertStrictEquals(copy.a, copy.d);
});

Deno.test("encode() copes with getters that change what is encoded", () => {
  const object: Record<string, unknown> = {
    get a() {
      delete object.b;
      object.d = 1;
      return 1;
    },
    b: 2,
    c: 3,
  };
  assertEquals(Object.entries(roundtrip(object)), [["a", 1], ["c", 3]]);
  const array: unknown[] = [{
    get a() {
      array.length = 1;
      return 1;
    },
  }, 2];
  assertEquals(roundtrip(array), [{ a: 1 }, ,]);
  const map = new Map<number, unknown>();
  map.set(0, {
    get a() {
      map.set(map.size, this);
      return 1;
    },
  });
  assertEquals([...roundtrip(map)], [[0, { a: 1 }]]);
});

Deno.test("encode() says of classes of the platform what they are", () => {
  for (
    const value of [
      new AbortController().signal,
      new Headers(),
      new ReadableStream(),
    ]
  ) {
    const message = refused(value);
    assert(
      message.startsWith("Cannot send value: a class of the platform like "),
      message,
    );
  }
});

Deno.test("encode() says of a promise that it was not awaited", () => {
  const message = refused(Promise.resolve());
  assert(message.includes("await it, and send its value"), message);
});
