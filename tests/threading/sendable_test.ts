import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { decode } from "../../threading/_codec/decode.ts";
import { encode } from "../../threading/_codec/encode.ts";
import {
  loadModule,
  loadSendable,
  ModuleNotLoaded,
  sendable,
  sendableEntry,
} from "../../threading/_codec/sendable.ts";
import {
  intern,
  interned,
  registerClass,
} from "../../threading/_memory/shared_class.ts";
import {
  createObject,
  SharedObject,
} from "../../threading/_memory/shared_object.ts";
import { Field } from "../../threading/_memory/heap.ts";
import { NotSendableError, ThreadingError } from "../../threading/errors.ts";

function roundtrip<T>(value: T): T {
  const { bytes, length } = encode(value);
  return decode(bytes.slice(0, length), 0, length) as T;
}

/** A message that holds just a marked function or class. */
function message(name: string): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = 0x20;
  new DataView(bytes.buffer).setUint32(1, intern(name), true);
  return bytes;
}

class Point {
  static {
    sendable(import.meta, this);
  }
  static made = 0;
  x = 1;
  y: unknown = undefined;
  private hidden = "travels";
  constructor() {
    Point.made++;
  }
  get sum(): number {
    return this.x;
  }
  hiddenValue(): string {
    return this.hidden;
  }
}

class Point3 extends Point {
  static {
    sendable(import.meta, this);
  }
  z = { deep: [this as unknown] };
}

const double = sendable(import.meta, function double(n: number) {
  return n * 2;
});

Deno.test("sendable() returns what it marks", () => {
  const f = function returned() {};
  assertStrictEquals(sendable(import.meta, f), f);
  assertEquals(sendableEntry(f)?.name, "returned");
  assertEquals(sendableEntry(f)?.url, import.meta.url);
  assertEquals(sendableEntry(() => {}), undefined);
});

Deno.test("sendable() refuses a second one of a name", () => {
  sendable(import.meta, function twice() {});
  assertThrows(
    () => sendable(import.meta, function twice() {}),
    ThreadingError,
    "received twice",
  );
});

Deno.test("sendable() says that import.meta is missing, or not the first", () => {
  const mark = sendable as unknown as (...args: unknown[]) => void;
  const fn = function missing() {};
  for (const args of [[fn], [fn, import.meta]]) {
    assertThrows(
      () => mark(...args),
      TypeError,
      "meta must be import.meta, received a function",
    );
  }
});

Deno.test("sendable() refuses what is no function or class", () => {
  assertThrows(
    () => sendable(import.meta, { name: "a" } as unknown as () => void),
    TypeError,
  );
  assertThrows(
    () =>
      sendable(
        import.meta,
        Object.defineProperty(() => {}, "name", {
          value: "a#b",
        }),
      ),
    TypeError,
    "received a#b",
  );
});

Deno.test("encode() and decode() keep marked functions and classes", () => {
  const copy = roundtrip({ double, list: [double, Point] });
  assertStrictEquals(copy.double, double);
  assertStrictEquals(copy.list[0], double);
  assertStrictEquals(copy.list[1], Point);
  const { sendables } = encode([double, Point, double, new Point()]);
  assertEquals(sendables.map((id) => interned(id)), [
    `${import.meta.url}#double`,
    `${import.meta.url}#Point`,
  ]);
});

Deno.test("encode() and decode() keep instances of marked classes", () => {
  const point = new Point();
  point.y = { back: point };
  const made = Point.made;
  const copy = roundtrip([point, point]);
  assertEquals(Point.made, made);
  assertStrictEquals(copy[0], copy[1]);
  assertStrictEquals(Object.getPrototypeOf(copy[0]), Point.prototype);
  assertStrictEquals((copy[0].y as { back: Point }).back, copy[0]);
  assertEquals(copy[0].sum, 1);
  assertEquals(copy[0].hiddenValue(), "travels");
  assertEquals(Object.keys(copy[0]), ["x", "y", "hidden"]);
  const deep = roundtrip(new Point3());
  assertStrictEquals(Object.getPrototypeOf(deep), Point3.prototype);
  assertStrictEquals(deep.z.deep[0], deep);
});

Deno.test("encode() and decode() keep 100 000 nested instances", () => {
  let point = new Point();
  for (let i = 0; i < 100_000; i++) {
    const outer = new Point();
    outer.y = point;
    point = outer;
  }
  let copy = roundtrip(point);
  let depth = 0;
  for (; copy.y !== undefined; depth++) copy = copy.y as Point;
  assertEquals(depth, 100_000);
  assertInstanceOf(copy, Point);
});

Deno.test("encode() refuses an unmarked subclass of a marked class", () => {
  class Unmarked extends Point {}
  const { message } = assertThrows(
    () => encode({ list: [new Unmarked()] }),
    NotSendableError,
  );
  assertEquals(
    message,
    "Cannot send value.list[0]: its class is not marked, put " +
      "`static { sendable(import.meta, this); }` into class Unmarked, " +
      "received [object Unmarked]",
  );
});

Deno.test("decode() defines fields that the class has setters for", () => {
  class Guarded {
    static {
      sendable(import.meta, this);
    }
    declare value: number;
  }
  const original = new Guarded();
  Object.defineProperty(original, "value", { value: 5, enumerable: true });
  Object.defineProperty(Guarded.prototype, "value", {
    set() {
      throw new Error("called");
    },
  });
  assertEquals(Object.entries(roundtrip(original)), [["value", 5]]);
});

Deno.test("encode() and decode() keep marked subclasses of built-in classes", () => {
  class MyMap extends Map<string, unknown> {
    static {
      sendable(import.meta, this);
    }
    extra = { a: 1 };
  }
  class MySet extends Set<number> {
    static {
      sendable(import.meta, this);
    }
  }
  class MyArray extends Array<number> {
    static {
      sendable(import.meta, this);
    }
    extra = "x";
  }
  class MyBytes extends Uint8Array {
    static {
      sendable(import.meta, this);
    }
    extra = "y";
  }
  class MyDate extends Date {
    static {
      sendable(import.meta, this);
    }
  }
  class MyError extends TypeError {
    static {
      sendable(import.meta, this);
    }
    code = 7;
    override get name(): string {
      return "MyError";
    }
  }
  const map = new MyMap([["a", 1]]);
  map.set("self", map);
  const mapCopy = roundtrip(map);
  assertInstanceOf(mapCopy, MyMap);
  assertStrictEquals(mapCopy.get("self"), mapCopy);
  assertEquals([mapCopy.get("a"), mapCopy.extra], [1, { a: 1 }]);
  const set = roundtrip(new MySet([1, 2]));
  assertInstanceOf(set, MySet);
  assertEquals([...set], [1, 2]);
  const array = roundtrip(MyArray.from([5, 6, 7]) as MyArray);
  assertInstanceOf(array, MyArray);
  assertEquals([[...array], array.length, array.extra], [[5, 6, 7], 3, "x"]);
  const bytes = roundtrip(new MyBytes([1, 2]));
  assertInstanceOf(bytes, MyBytes);
  assertEquals([[...bytes], bytes.extra], [[1, 2], "y"]);
  assertEquals(roundtrip(new MyDate(5)).getTime(), 5);
  assertInstanceOf(roundtrip(new MyDate(5)), MyDate);
  const error = new MyError("m", { cause: new MyError("why") });
  const copy = roundtrip(error);
  assertInstanceOf(copy, MyError);
  assertInstanceOf(copy.cause, MyError);
  assertEquals(
    [copy.name, copy.message, copy.code, copy.stack, Object.keys(copy)],
    ["MyError", "m", 7, error.stack, ["code"]],
  );
});

Deno.test("encode() and decode() keep the errors of threading", () => {
  const copy = roundtrip(new NotSendableError("m"));
  assertStrictEquals(
    Object.getPrototypeOf(copy),
    NotSendableError.prototype,
  );
  assertEquals([copy.name, copy.message], ["NotSendableError", "m"]);
});

class Probe extends SharedObject {
  constructor() {
    super(createObject(kind, Field.own));
  }
}
const kind = registerClass(import.meta, { constructor: Probe });

class MyProbe extends Probe {
  static {
    sendable(import.meta, this);
  }
}

Deno.test("encode() and decode() share shared objects", () => {
  const probe = new Probe();
  const mine = new MyProbe();
  const value = { probe, list: [probe, mine, new Map([[mine, probe]])] };
  const encoded = encode(value);
  assertEquals(encoded.references.length, 2);
  assertStrictEquals(encoded.references[0], probe);
  assertStrictEquals(encoded.references[1], mine);
  const copy = roundtrip(value);
  assertStrictEquals(copy.probe, probe);
  assertStrictEquals(copy.list[0], probe);
  assertStrictEquals(copy.list[1], mine);
  assertStrictEquals((copy.list[2] as Map<Probe, Probe>).get(mine), probe);
});

Deno.test("encode() refuses unmarked subclasses of shared objects", () => {
  class Unmarked extends Probe {}
  assertThrows(
    () => encode([new Unmarked()]),
    NotSendableError,
    "Cannot send value[0]: its class is not marked",
  );
});

Deno.test("encode() does not keep what an error left behind", () => {
  const probe = new Probe();
  const later = new Probe();
  const error = new Error("m");
  Object.assign(error, { lost: [probe, double, () => {}], kept: [later] });
  const encoded = encode([error, later, { lost: 1 }]);
  assertEquals(encoded.references.length, 1);
  assertStrictEquals(encoded.references[0], later);
  assertEquals(encoded.sendables, []);
  const [copy, again] = roundtrip([error, later, { lost: 1 }]);
  assertEquals(Object.keys(copy), ["kept"]);
  assertStrictEquals(again, later);
});

Deno.test("encode() throws for a shared object that was freed", () => {
  const probe = new Probe();
  probe.free();
  assertThrows(() => encode([1, { probe }]), ThreadingError);
  assertEquals(encode([new Probe()]).references.length, 1);
});

Deno.test("decode() loads the module of a class", () => {
  const url = import.meta.resolve("./sendable_fixture.ts");
  const loaded = globalThis as { lateModules?: number };
  assertEquals(loaded.lateModules, undefined);
  const Late = decode(message(`${url}#Late`), 0, 5) as new () => object;
  assertEquals(loaded.lateModules, 1);
  assertEquals(Late.name, "Late");
  assertInstanceOf(roundtrip(new Late()), Late);
  assertThrows(
    () => decode(message(`${url}#Never`), 0, 5),
    ThreadingError,
    "received Never",
  );
});

Deno.test("decode() throws when a module cannot be loaded at once", async () => {
  const url = import.meta.resolve("./sendable_await_fixture.ts");
  const bytes = message(`${url}#slow`);
  const error = assertThrows(() => decode(bytes, 0, 5), ModuleNotLoaded);
  assertEquals(error.url, url);
  await loadModule(error.url);
  const slow = decode(bytes, 0, 5) as () => string;
  assertEquals(slow(), "slow");
  await assertRejects(
    () => loadSendable(intern(`${url}#never`)),
    ThreadingError,
    "received never",
  );
  assertThrows(() => decode(message(`${url}#never`), 0, 5), ThreadingError);
});

Deno.test("decode() throws when a module is not a file", async () => {
  const skein = import.meta.resolve("../../threading/_codec/sendable.ts");
  const url = "data:text/typescript," + encodeURIComponent(
    `import { sendable } from "${skein}";` +
      `sendable(import.meta, function far() { return "far"; });`,
  );
  const id = intern(`${url}#far`);
  const bytes = message(`${url}#far`);
  const error = assertThrows(() => decode(bytes, 0, 5), ModuleNotLoaded);
  assertEquals(error.url, url);
  await loadSendable(id);
  assertEquals((decode(bytes, 0, 5) as () => string)(), "far");
});

Deno.test("loadSendable() passes on what loading throws", async () => {
  const url = "data:text/javascript,throw new RangeError('at import')";
  const error = assertThrows(
    () => decode(message(`${url}#a`), 0, 5),
    ModuleNotLoaded,
  );
  assert(error.message.includes(url));
  await assertRejects(
    () => loadSendable(intern(`${url}#a`)),
    RangeError,
    "at import",
  );
});
