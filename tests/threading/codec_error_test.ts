import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { decode } from "../../threading/_memory/codec/decode.ts";
import { encode } from "../../threading/_memory/codec/encode.ts";
import { NotSendableError } from "../../threading/errors.ts";

function roundtrip<T>(value: T): T {
  const { bytes, length } = encode(value);
  return decode(bytes.slice(0, length), 0, length) as T;
}

function refused(value: unknown): string {
  return assertThrows(() => encode(value), NotSendableError).message;
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

Deno.test("encode() refuses a chain of 100 000 errors", () => {
  let error = new Error("first");
  for (let i = 0; i < 100_000; i++) {
    const stack = error.stack;
    error = new Error("next", { cause: error });
    error.stack = stack;
  }
  refused(error);
  assertEquals(roundtrip([1]), [1]);
});
