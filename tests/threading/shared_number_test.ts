import { assertEquals, assertThrows } from "@std/assert";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import { Thread } from "../../threading/thread.ts";
import { addMany } from "./shared_number_fixture.ts";

Deno.test("SharedNumber holds any number", () => {
  assertEquals(new SharedNumber().value, 0);
  const number = new SharedNumber(7);
  assertEquals(number.value, 7);
  for (const value of [-0, NaN, Infinity, 0.1, 2 ** 53, Number.MIN_VALUE]) {
    number.value = value;
    assertEquals(number.value, value);
  }
});

Deno.test("SharedNumber.add() returns the sum", () => {
  const number = new SharedNumber(0.5);
  assertEquals(number.add(), 1.5);
  assertEquals(number.add(-3), -1.5);
  assertEquals(number.value, -1.5);
});

Deno.test("SharedNumber refuses what is not a number", () => {
  const number = new SharedNumber(1);
  const wrong = "2" as unknown as number;
  assertThrows(() => new SharedNumber(wrong), TypeError, 'received "2"');
  assertThrows(() => number.value = wrong, TypeError, 'received "2"');
  assertThrows(() => number.add(wrong), TypeError, 'received "2"');
  assertEquals(number.value, 1);
});

Deno.test("SharedNumber.add() of several threads loses nothing", () => {
  const number = new SharedNumber();
  const threads = [1, 2, 3, 4].map((n) =>
    new Thread({ target: addMany, args: [number, 20_000, n] })
  );
  threads.forEach((thread) => thread.start());
  threads.forEach((thread) => thread.joinSync());
  assertEquals(number.value, 200_000);
});
