import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { decode } from "../../threading/_codec/decode.ts";
import { encode } from "../../threading/_codec/encode.ts";
import { sendable } from "../../threading/_codec/sendable.ts";

function roundtrip<T>(value: T): T {
  const { bytes, length } = encode(value);
  return decode(bytes.slice(0, length), 0, length) as T;
}

Deno.test("encode() and decode() keep errors", () => {
  for (
    const Class of [
      ...[Error, EvalError, RangeError, ReferenceError],
      ...[SyntaxError, TypeError, URIError],
    ]
  ) {
    const error = new Class("text", { cause: { a: 1 } });
    const copy = roundtrip(error);
    const expected = structuredClone(error);
    assertStrictEquals(
      Object.getPrototypeOf(copy),
      Object.getPrototypeOf(expected),
    );
    assertEquals(copy.name, expected.name);
    assertEquals(copy.message, expected.message);
    assertEquals(copy.stack, expected.stack);
    assertEquals(copy.cause, expected.cause);
    assertEquals(
      Object.getOwnPropertyNames(copy).sort(),
      Object.getOwnPropertyNames(expected).sort(),
    );
    assertEquals(Object.keys(copy), []);
  }
  assertEquals(Object.hasOwn(roundtrip(new Error()), "message"), false);
  assertEquals(
    Object.hasOwn(roundtrip(new Error("", { cause: undefined })), "cause"),
    true,
  );
  const cyclic = new Error("self");
  cyclic.cause = { error: cyclic };
  const copy = roundtrip(cyclic);
  assertStrictEquals((copy.cause as { error: Error }).error, copy);
});

Deno.test("encode() and decode() keep the errors in errors", () => {
  const aggregate = roundtrip(
    new AggregateError([new TypeError("a"), 1], "both"),
  );
  assertInstanceOf(aggregate, AggregateError);
  assertInstanceOf(aggregate.errors[0], TypeError);
  assertEquals(aggregate.errors[1], 1);
  const suppressed = roundtrip(new SuppressedError(new Error("a"), 2, "m"));
  assertInstanceOf(suppressed, SuppressedError);
  assertEquals([suppressed.error.message, suppressed.suppressed], ["a", 2]);
});

Deno.test("encode() and decode() keep what can be kept of unmarked errors", () => {
  class HttpError extends RangeError {
    override name = "HttpError";
    status = 404;
    details = { tries: [1, 2], same: this as Error };
    retry = () => {};
    socket = { owner: { a: new Map(), retry: () => {} }, b: { status: 1 } };
    last = { status: 1 };
  }
  const error = new HttpError("gone", { cause: new Error("why") });
  // deno-lint-ignore no-explicit-any
  const copy: any = roundtrip([error, error.last, error.details])[0];
  assertStrictEquals(Object.getPrototypeOf(copy), RangeError.prototype);
  assertEquals(copy.name, "HttpError");
  assertEquals(copy.message, "gone");
  assertEquals(copy.stack, error.stack);
  assertEquals(copy.cause.message, "why");
  assertEquals(copy.status, 404);
  assertEquals(copy.details.tries, [1, 2]);
  assertStrictEquals(copy.details.same, copy);
  assertEquals(copy.last, { status: 1 });
  assertEquals("retry" in copy || "socket" in copy, false);
  assertEquals(roundtrip(new Deno.errors.NotFound("x")).name, "NotFound");
});

Deno.test("encode() and decode() keep DOMExceptions", () => {
  const exception = new DOMException("late", "TimeoutError");
  const copy = roundtrip(exception);
  assertInstanceOf(copy, DOMException);
  assertEquals(
    [copy.name, copy.message, copy.code, copy.stack],
    ["TimeoutError", "late", exception.code, exception.stack],
  );
});

class MyError extends Error {
  static {
    sendable(import.meta, this);
  }
  inner: unknown;
}

/** Errors nested so deeply, each in the one that is made next. */
function nested(depth: number, wrap: (inner: unknown) => Error): unknown {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let error: unknown = "innermost";
  for (let i = 0; i < depth; i++) error = wrap(error);
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

/** How to nest an error, and how to find what is in it. */
const nestings: Record<string, {
  wrap: (inner: unknown) => Error;
  // deno-lint-ignore no-explicit-any
  open: (error: any) => unknown;
}> = {
  "in causes": {
    wrap: (cause) => new TypeError("m", { cause }),
    open: (error) => error.cause,
  },
  "in the errors of AggregateErrors": {
    wrap: (inner) => new AggregateError([1, inner], "m"),
    open: (error) => error.errors[1],
  },
  "in SuppressedErrors": {
    wrap: (inner) => new SuppressedError(inner, 1, "m"),
    open: (error) => error.error,
  },
  "in own properties": {
    wrap: (inner) => Object.assign(new Error("m"), { inner, lost: () => {} }),
    open: (error) => error.inner,
  },
  "in marked errors": {
    wrap: (inner) => Object.assign(new MyError("m"), { inner }),
    open: (error) => error instanceof MyError && error.inner,
  },
  "in causes of marked errors": {
    wrap: (cause) => new MyError("m", { cause }),
    open: (error) => error instanceof MyError && error.cause,
  },
  "in other things": {
    wrap: (inner) =>
      new Error("m", { cause: [{ map: new Map([["a", [inner]]]) }] }),
    open: (error) => error.cause[0].map.get("a")[0],
  },
};

/** Far deeper than the stack would reach. */
const DEPTH = 50_000;

for (const [where, { wrap, open }] of Object.entries(nestings)) {
  Deno.test(`encode() and decode() keep errors nested ${DEPTH} deep ${where}`, () => {
    const error = nested(DEPTH, wrap);
    let copy = roundtrip(error);
    let depth = 0;
    for (; copy instanceof Error; depth++) copy = open(copy);
    assertEquals(depth, DEPTH);
    assertEquals(copy, "innermost");
  });
}

Deno.test("encode() and decode() keep the identity of errors in a long chain", () => {
  const shared = new Error("shared");
  const first = nested(
    1000,
    (inner) =>
      Object.assign(new Error("m", { cause: inner }), { same: shared }),
  ) as Error & { same: Error };
  shared.cause = first;
  const copy = roundtrip(first);
  let depth = 0;
  // deno-lint-ignore no-explicit-any
  for (let at: any = copy; at instanceof Error; at = at.cause, depth++) {
    assertStrictEquals((at as typeof first).same, copy.same);
  }
  assertEquals(depth, 1000);
  assertStrictEquals(copy.same.cause, copy);
});
