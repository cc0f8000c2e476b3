import { assertEquals, assertThrows } from "@std/assert";
import { Thread } from "../../threading/mod.ts";
import { stackSize } from "../../threading/low_level.ts";
import { sleeper } from "./sleep_fixture.ts";

Deno.test("stackSize() tells and sets what is asked for", () => {
  assertEquals(stackSize(), 0);
  assertEquals(stackSize(64 * 1024), 0);
  assertEquals(stackSize(2 ** 30), 64 * 1024);
  assertEquals(stackSize(), 2 ** 30);
  assertEquals(stackSize(0), 2 ** 30);
});

Deno.test("stackSize() refuses what is no size", () => {
  assertThrows(() => stackSize("1" as unknown as number), TypeError);
  for (const bytes of [-1, 1, 32 * 1024 - 1, 2 ** 30 + 1, 40_000.5, NaN]) {
    assertThrows(() => stackSize(bytes), RangeError, String(bytes));
  }
  assertEquals(stackSize(), 0);
});

Deno.test("stackSize() leaves threads able to start", () => {
  stackSize(16 * 1024 * 1024);
  try {
    const thread = new Thread({ target: sleeper, args: [1] });
    thread.start();
    thread.joinSync();
  } finally {
    stackSize(0);
  }
});
