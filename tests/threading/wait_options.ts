import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import { ThreadingError } from "../../threading/mod.ts";
import type { WaitOptions, WaitSyncOptions } from "../../_internal/check.ts";

/** Something that can be waited for and does not come until it is let. */
export interface Blocked {
  /** The promise form. */
  wait(options?: WaitOptions): Promise<unknown>;
  /** The blocking form. */
  waitSync(options?: WaitSyncOptions): unknown;
  /** From now on a wait ends; asserts that none took anything before. */
  let(): unknown;
  /** Gives the handle back. */
  free(): void;
}

const outOfRange = [-1, -0.5, NaN, -Infinity, 2 ** 31];
const noNumbers = ["1", null, true, 1n, {}];

/**
 * Registers the tests of what every wait makes of its options.
 *
 * @param name The name of the promise form, like `Lock.acquire`.
 * @param block Makes what is waited for.
 */
export function testOptions(
  name: string,
  block: () => Blocked | Promise<Blocked>,
): void {
  const test = (does: string, run: (blocked: Blocked) => Promise<void>) =>
    Deno.test(`${name}() ${does}`, async () => {
      const blocked = await block();
      await run(blocked);
      // As if the calls before had never been made.
      await blocked.let();
      await blocked.wait({ timeout: 10_000 });
    });

  test("throws a TimeoutError when its time has passed", async (blocked) => {
    for (const timeout of [0, 0.5, 20]) {
      const start = performance.now();
      const error = await assertRejects(
        () => blocked.wait({ timeout }),
        DOMException,
        `${timeout} ms have passed`,
      );
      assertEquals(error.name, "TimeoutError");
      assert(performance.now() - start >= timeout - 1);
    }
  });

  test("Sync throws a TimeoutError when its time has passed", async (blocked) => {
    await Promise.resolve();
    for (const timeout of [0, 0.5, 20]) {
      const start = performance.now();
      const error = assertThrows(
        () => blocked.waitSync({ timeout }),
        DOMException,
        `${timeout} ms have passed`,
      );
      assertEquals(error.name, "TimeoutError");
      assert(performance.now() - start >= timeout - 1);
    }
  });

  test("Sync takes no signal", async (blocked) => {
    await Promise.resolve();
    const options = { signal: AbortSignal.abort() } as WaitSyncOptions;
    assertThrows(() => blocked.waitSync(options), TypeError, "timeout");
  });

  test("keeps the handle from being freed", async (blocked) => {
    const controller = new AbortController();
    const waiting = blocked.wait({ signal: controller.signal });
    await delay(5);
    assertThrows(() => blocked.free(), ThreadingError, "Cannot free");
    controller.abort("reason");
    assertEquals(await waiting.catch((error) => error), "reason");
  });

  test("rejects with the reason of the signal", async (blocked) => {
    const controller = new AbortController();
    const waiting = blocked.wait({ signal: controller.signal });
    setTimeout(() => controller.abort("reason"), 5);
    assertEquals(await waiting.catch((error) => error), "reason");

    const aborted = AbortSignal.abort();
    const error = await blocked.wait({ signal: aborted }).catch((e) => e);
    assertStrictEquals(error, aborted.reason);

    const timeout = AbortSignal.timeout(5);
    const late = await blocked.wait({ signal: timeout, timeout: 10_000 })
      .catch((e) => e);
    assertStrictEquals(late, timeout.reason);
  });

  test("refuses what is no duration", async (blocked) => {
    for (const timeout of outOfRange) {
      await assertRejects(
        () => blocked.wait({ timeout }),
        RangeError,
        `received ${timeout}`,
      );
      assertThrows(
        () => blocked.waitSync({ timeout }),
        RangeError,
        `received ${timeout}`,
      );
    }
    for (const value of noNumbers) {
      const timeout = value as number;
      await assertRejects(() => blocked.wait({ timeout }), TypeError);
      assertThrows(() => blocked.waitSync({ timeout }), TypeError, "received");
    }
  });

  test("refuses a bad option also when it need not wait", async (blocked) => {
    await blocked.let();
    await assertRejects(() => blocked.wait({ timeout: -1 }), RangeError);
    assertThrows(() => blocked.waitSync({ timeout: NaN }), RangeError);
    const signal = AbortSignal.abort("reason");
    assertEquals(await blocked.wait({ signal }).catch((e) => e), "reason");
    await blocked.wait({ timeout: Infinity, signal: undefined });
  });

  Deno.test(`${name}() throws after free()`, async () => {
    const blocked = await block();
    await blocked.let();
    blocked.free();
    await assertRejects(() => blocked.wait(), ThreadingError, "free()");
    assertThrows(() => blocked.waitSync(), ThreadingError, "free()");
    assertThrows(() => blocked.free(), ThreadingError, "free()");
  });
}
