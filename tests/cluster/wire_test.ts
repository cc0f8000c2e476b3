import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "../../cluster/_wire/decode.ts";
import { encode } from "../../cluster/_wire/encode.ts";
import { MAX_DEPTH, Tag } from "../../cluster/_wire/format.ts";
import { register } from "../../cluster/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { Lock, NotSendableError, Thread } from "../../threading/mod.ts";
import { STRESS } from "./server.ts";

const SEED = Number(Deno.env.get("SKEIN_SEED") ?? Date.now() % 2 ** 31);

class Order {
  parts: unknown[] = [];
  constructor(public number: number) {}
  total() {
    return this.parts.length;
  }
}
register("test.Order", Order);
class OutOfStock extends Error {
  override name = "OutOfStock";
  part = "spam";
}
register("test.OutOfStock", OutOfStock);
const double = register("test.double", function double(n: number) {
  return 2 * n;
});

function again<T>(value: T): T {
  return decode(encode(value, "item"), "item") as T;
}

const sparse: unknown[] = [1, , "three"];
sparse.length = 2 ** 32 - 1;
const named = Object.assign([1, 2], { name: "spam" });

const VALUES: Record<string, unknown[]> = {
  "primitives": [undefined, null, true, false, "", "spam", "é\u{1f600}\u0000"],
  "numbers": [0, 1, -1, 63, 64, -65, 2 ** 31, -(2 ** 52), 2 ** 53, 0.1, NaN]
    .concat([Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE]),
  "bigints": [0n, 1n, -1n, 255n, 256n, 2n ** 200n, -(2n ** 64n)],
  "long strings": ["x".repeat(41), "é".repeat(42), "x".repeat(1e5)],
  "lone surrogates": ["\ud800", "a\udc00b"],
  "arrays": [[], [1, [2, [3]]], [undefined], named],
  "objects": [{}, { a: { b: 1 } }, { "": 0, "é": 1, 5: 2 }],
  "maps and sets": [new Map<unknown, unknown>([[1, "a"], [{ k: 1 }, []]])]
    .concat([new Map()], [new Set([1, "a"]), new Set()] as never[]),
  "dates": [new Date(0), new Date(-1.5e12), new Date(NaN)],
  "regular expressions": [/a/, /[/]\n/giu, new RegExp("")],
  "views": [
    new Uint8Array([1, 2]),
    new Float64Array([0.5]),
    new Float16Array([1.5]),
    new BigInt64Array([-1n]),
    new Uint16Array(new ArrayBuffer(8), 2, 2),
  ],
  "boxed primitives": [Object(1), Object("a"), Object(true), Object(1n)],
};

for (const [name, values] of Object.entries(VALUES)) {
  Deno.test(`wire: ${name} arrive as they are`, () => {
    for (const value of values) assertEquals(again(value), value);
  });
}

Deno.test("wire: minus zero arrives as minus zero", () => {
  assert(Object.is(again(-0), -0));
});

Deno.test("wire: holes stay holes, however long the array", () => {
  const copy = again(sparse);
  assertEquals(copy.length, 2 ** 32 - 1);
  assertEquals(Object.keys(copy), ["0", "2"]);
  assertEquals(copy[2], "three");
});

Deno.test("wire: buffers and what shares them", () => {
  const buffer = new ArrayBuffer(4);
  const value = {
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer, 1),
  };
  const copy = again(value);
  copy.bytes[1] = 7;
  assertEquals(copy.view.getInt8(0), 7);
  assertEquals(copy.view.byteLength, 3);
});

Deno.test("wire: circles and what is there twice", () => {
  const value: Record<string, unknown> = { list: [] };
  value.self = value;
  value.also = value.list;
  value.map = new Map([[value, value]]);
  const copy = again(value);
  assert(copy.self === copy);
  assert(copy.also === copy.list);
  assert((copy.map as Map<unknown, unknown>).get(copy) === copy);
});

Deno.test("wire: errors with class, stack and cause", () => {
  const error = new RangeError("too far", { cause: { why: [1] } });
  const copy = again(error);
  assert(copy instanceof RangeError);
  assertEquals(copy.message, "too far");
  assertEquals(copy.stack, error.stack);
  assertEquals(copy.cause, { why: [1] });
  const many = again(new AggregateError([1, new TypeError("a")], "many"));
  assert(many instanceof AggregateError);
  assert(many.errors[1] instanceof TypeError);
  const circle = new Error("circle");
  circle.cause = circle;
  assert((again(circle).cause as Error) instanceof Error);
  const late = again(new DOMException("late", "TimeoutError"));
  assert(late instanceof DOMException);
  assertEquals(late.name, "TimeoutError");
});

Deno.test("wire: instances and functions by registered names", () => {
  const order = new Order(7);
  order.parts.push("spam", order);
  const copy = again({ order, double });
  assert(copy.order instanceof Order);
  assertEquals(copy.order.number, 7);
  assertEquals(copy.order.total(), 2);
  assert(copy.order.parts[1] === copy.order);
  assert(copy.double === double);
  const error = again(new OutOfStock("none left"));
  assert(error instanceof OutOfStock && Error.isError(error));
  assertEquals([error.message, error.part], ["none left", "spam"]);
});

Deno.test("wire: __proto__ is a name like others", () => {
  const value = JSON.parse('{"__proto__": {"admin": true}, "a": 1}');
  const copy = again(value);
  assert(Object.getPrototypeOf(copy) === Object.prototype);
  assertEquals(Object.keys(copy), ["__proto__", "a"]);
  assertEquals(({} as Record<string, unknown>).admin, undefined);
});

Deno.test("wire: what cannot be sent is a NotSendableError that says where", () => {
  const refused: Array<[unknown, RegExp]> = [
    [() => 1, /item is a function/],
    [{ a: [Symbol("s")] }, /item\.a\[0\] is a symbol/],
    [new (class Unknown {})(), /instance of Unknown/],
    [{ queue: new Queue() }, /item\.queue is a Queue/],
    [[new Lock()], /item\[0\] is a Lock/],
    [new Thread({ target: double, args: [1] }), /Thread/],
    [new Uint8Array(new SharedArrayBuffer(1)), /view/],
    [new WeakMap(), /WeakMap/],
    [Promise.resolve(), /Promise/],
  ];
  for (const [value, message] of refused) {
    const error = assertThrows(() => encode(value, "item"), NotSendableError);
    assert(message.test(error.message), error.message);
  }
});

/** Arrays in one another. */
function nested(depth: number): unknown {
  let value: unknown = "end";
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

Deno.test("wire: nesting has a limit on both sides", () => {
  assertEquals(
    JSON.stringify(again(nested(MAX_DEPTH))).length,
    2 * MAX_DEPTH + 5,
  );
  assertThrows(() => encode(nested(MAX_DEPTH + 1), "item"), RangeError);
  const bytes = new Uint8Array(1 << 20).fill(Tag.array);
  for (let i = 1; i < bytes.length; i += 2) bytes[i] = 1;
  bytes.set([0x53, 1]);
  for (let i = 2; i < bytes.length; i += 2) bytes.set([Tag.array, 1], i);
  assertThrows(() => decode(bytes, "item"), Deno.errors.InvalidData, "deep");
});

function bytesOf(...bytes: number[]): Uint8Array {
  return new Uint8Array([0x53, 1, ...bytes]);
}

Deno.test("wire: another version says so", () => {
  const bytes = encode("spam", "item").slice();
  bytes[1] = 2;
  const error = assertThrows(
    () => decode(bytes, "item"),
    Deno.errors.NotSupported,
  );
  assertEquals(
    error.message,
    "Cannot read the item of a server: it is in version 2 of the wire format, and this program reads version 1",
  );
});

Deno.test("wire: an unknown name is an error", () => {
  const bytes = encode(new Order(1), "item").slice();
  // test.Order becomes test.Orden.
  bytes[bytes.indexOf("r".charCodeAt(0), 10)] = "n".charCodeAt(0);
  const text = new TextDecoder().decode(bytes);
  assert(!text.includes("test.Order"), text);
  assertThrows(
    () => decode(bytes, "item"),
    Deno.errors.InvalidData,
    "registered",
  );
  const name = encode("data:text/javascript,throw 1", "item").subarray(2);
  const imported = bytesOf(Tag.instance, ...name, 0);
  assertThrows(() => decode(imported, "item"), Deno.errors.InvalidData);
});

const LONG = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];

Deno.test("wire: lengths that lie cost nothing", () => {
  const hostile = [
    [],
    [Tag.string, ...LONG],
    [Tag.utf16, ...LONG],
    [Tag.bigint, ...LONG],
    [Tag.array, ...LONG, 0],
    [Tag.holeyArray, ...LONG, 0, 0],
    [Tag.holeyArray, 0xff, 0xff, 0xff, 0xff, 0x0f, ...LONG],
    [Tag.object, ...LONG, Tag.string, 0, 0],
    [Tag.map, ...LONG, 0, 0],
    [Tag.set, ...LONG, 0],
    [Tag.buffer, ...LONG, 0],
    [Tag.view, 2, 0, ...LONG, Tag.buffer, 1, 0],
    [Tag.view, 10, 1, 0, Tag.buffer, 8, 0, 0, 0, 0, 0, 0, 0, 0],
    [Tag.view, 99, 0, 0, Tag.buffer, 1, 0],
    [Tag.reference, 0],
    [Tag.array, 1, Tag.reference, ...LONG],
    [Tag.integer, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [Tag.regExp, Tag.string, 1, 0x28, Tag.string, 0],
    [Tag.regExp, Tag.string, 1, 0x61, Tag.string, 1, 0x7a],
    [Tag.boxed, Tag.array, 0, 0],
    [Tag.view, 2, 0, 1, Tag.reference, 0],
    [Tag.error, Tag.string, 1, 0x61, 0, 0, 0, 0],
    [Tag.array, 0, 1, Tag.string, 6, ...new TextEncoder().encode("length"), 0],
    [
      Tag.array,
      0,
      1,
      Tag.string,
      8,
      ...new TextEncoder().encode("30000000"),
      0,
    ],
    [0xee],
    [Tag.null, Tag.null],
    [Tag.string, 1, 0xff],
  ];
  const before = Deno.memoryUsage();
  for (const bytes of hostile) {
    assertThrows(
      () => decode(bytesOf(...bytes), "item"),
      Deno.errors.InvalidData,
      undefined,
      String(bytes),
    );
  }
  const length = [0x80, 0x80, 0x80, 0x08]; // 16 Mi elements that are not there
  const holes = decode(bytesOf(Tag.holeyArray, ...length, 0, 0), "item");
  assertEquals((holes as unknown[]).length, 2 ** 24);
  const { rss, heapTotal } = Deno.memoryUsage();
  assert(rss - before.rss < 64e6 && heapTotal - before.heapTotal < 32e6);
});

Deno.test("wire: far indexes cost no more than near ones", () => {
  const index = new TextEncoder().encode("999");
  const parts = {
    arrays: [Tag.holeyArray, 0xe7, 7, 0, 0],
    objects: [Tag.object, 1, Tag.string, 3, ...index, 0],
  };
  for (const [name, part] of Object.entries(parts)) {
    const count = 20_000;
    const head = [0x53, 1, Tag.array, count & 0x7f | 0x80]
      .concat([count >> 7 & 0x7f | 0x80, count >> 14]);
    const body = Array.from({ length: count }, () => part).flat();
    const bytes = Uint8Array.from(head.concat(body, [0]));
    const before = Deno.memoryUsage().heapTotal;
    assertEquals((decode(bytes, "item") as unknown[]).length, count, name);
    // At 8 bytes an element they would take 160 MB and more.
    const grown = Deno.memoryUsage().heapTotal - before;
    assert(grown < 60e6, `${name}: ${grown}`);
  }
});

/** Numbers that are the same for the same seed. */
function random(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 >>> 0;
    return ((state ^ state >>> 13) >>> 0) % n;
  };
}

function tryDecode(bytes: Uint8Array, clue: string): void {
  try {
    decode(bytes, "item");
  } catch (error) {
    const expected = error instanceof Deno.errors.InvalidData ||
      error instanceof Deno.errors.NotSupported;
    assert(expected, `${clue}: ${error}\n${(error as Error).stack}`);
  }
}

Deno.test("wire: damaged and random bytes are errors, never a crash", () => {
  const pick = random(SEED);
  const error = new Error("e", { cause: new Date(1) });
  const samples = [
    ...Object.values(VALUES).flat(),
    { order: new Order(1), error, list: [[1], new Map([[{}, new Set([1n])]])] },
    new OutOfStock("x"),
    new DataView(new ArrayBuffer(9), 1),
    new DOMException("a", "b"),
    sparse,
  ].map((value) => encode(value, "item")).filter((b) => b.length < 1000);
  for (let i = 0; i < 4000 * STRESS; i++) {
    const clue = `SKEIN_SEED=${SEED}, ${i}`;
    const bytes = samples[pick(samples.length)].slice();
    for (let n = pick(4); n >= 0; n--) {
      bytes[pick(bytes.length)] = pick(3) ? pick(256) : pick(0x1c);
    }
    tryDecode(bytes, clue);
    tryDecode(bytes.subarray(0, pick(bytes.length)), clue);
    const noise = Uint8Array.from(
      { length: 2 + pick(60) },
      () => pick(2) ? pick(0x1c) : pick(256),
    );
    noise.set([0x53, 1]);
    tryDecode(noise, clue);
  }
});

Deno.test("register() refuses names that are taken", () => {
  assertThrows(() => register("test.Order", class {}), Error, "another");
  assertThrows(() => register("other", Order), Error, "known as test.Order");
  assert(register("test.Order", Order) === Order);
  assertThrows(() => register("", Order), TypeError);
  assertThrows(() => register(1 as never, Order), TypeError);
  assertThrows(() => register("x", 1 as never), TypeError);
});
