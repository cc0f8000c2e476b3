import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  checkCancelled,
  Event,
  Lock,
  shield,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";
import { self, store } from "../../threading/_memory/heap.ts";
import {
  admitScope,
  currentScope,
  isScopeCancelled,
  runInScope,
  ScopeField,
} from "../../threading/_memory/scope.ts";
import { addressOf } from "../../threading/_memory/shared_object.ts";
import {
  cancelScope,
  draftReason,
  signalOfScope,
} from "../../threading/_runtime/cancelling.ts";
import { ThreadField } from "../../threading/_runtime/thread_table.ts";

/** A scope: the words of a thread that is never started. */
class TestScope {
  // Kept, so that the words are.
  readonly #carrier = new Thread();
  readonly #object = addressOf(this.#carrier);
  readonly #address = this.#object + ThreadField.scope;

  run<T>(fn: () => T): T {
    store(this.#address + ScopeField.slot, self);
    return runInScope(admitScope(this.#object, this.#address), fn, []);
  }

  cancel(reason?: unknown): boolean {
    return cancelScope(this.#object, this.#address, draftReason(reason));
  }

  isCancelled(): boolean {
    return isScopeCancelled(this.#address);
  }
}

const wait = () => new Event().wait({ timeout: 60_000 });

Deno.test("runInScope() has what it calls cancelled, and nothing else", () => {
  const scope = new TestScope();
  scope.run(() => {
    checkCancelled();
    assert(scope.cancel(new RangeError("first")));
    assert(!scope.cancel(new RangeError("second")));
    assertThrows(() => checkCancelled(), RangeError, "first");
    assertThrows(() => sleepSync(1), RangeError, "first");
  });
  checkCancelled();
  sleepSync(1);
  assert(scope.isCancelled());
});

Deno.test("runInScope() can be entered when the scope has been cancelled", () => {
  const scope = new TestScope();
  scope.cancel(new RangeError("before"));
  assertThrows(() => scope.run(() => sleepSync(1)), RangeError, "before");
  sleepSync(1);
});

Deno.test("runInScope() is cancelled neither by the scope below nor above it", () => {
  const below = new TestScope();
  const above = new TestScope();
  below.run(() => {
    above.run(() => {
      below.cancel(new RangeError("below"));
      sleepSync(1);
      above.cancel(new RangeError("above"));
      assertThrows(() => sleepSync(1), RangeError, "above");
    });
    assertThrows(() => sleepSync(1), RangeError, "below");
  });
  const next = new TestScope();
  next.run(() => {
    const inner = new TestScope();
    inner.cancel();
    inner.run(() => assertThrows(() => sleepSync(1), DOMException));
    sleepSync(1);
  });
});

Deno.test("runInScope() follows async code", async () => {
  const first = new TestScope();
  const second = new TestScope();
  const started: string[] = [];
  const task = async (name: string) => {
    await delay(1);
    started.push(name);
    const later = wait();
    await delay(1);
    await later;
  };
  const failed = first.run(() => task("first"));
  const going = second.run(() => task("second"));
  const outside = wait();
  await delay(20);
  first.cancel(new RangeError("stop"));
  await assertRejects(() => failed, RangeError, "stop");
  assertEquals(started, ["first", "second"]);
  let over = false;
  const note = () => over = true;
  going.then(note, note);
  outside.then(note, note);
  await delay(20);
  assert(!over);
  second.cancel(new RangeError("stop, too"));
  await assertRejects(() => going, RangeError, "stop, too");
  assertEquals(currentScope(), undefined);
});

Deno.test("runInScope() keeps to the scope behind each await, in callbacks too", async () => {
  const scope = new TestScope();
  await scope.run(async () => {
    await delay(1);
    scope.cancel(new RangeError("stop"));
    await assertRejects(() => wait(), RangeError, "stop");
    await new Promise<void>((resolve) =>
      setTimeout(() => {
        assertThrows(() => checkCancelled(), RangeError, "stop");
        resolve();
      }, 1)
    );
  });
  checkCancelled();
});

Deno.test("runInScope() lets a free lock be taken, and passes on what it waits for", async () => {
  const scope = new TestScope();
  const lock = new Lock();
  await scope.run(async () => {
    scope.cancel(new RangeError("stop"));
    lock.acquireSync();
    await assertRejects(() => lock.acquire(), RangeError, "stop");
    lock.release();
    (await lock.acquire()).release();
  });
  const other = new TestScope();
  lock.acquireSync();
  const failing = other.run(() => lock.acquire());
  const next = lock.acquire();
  other.cancel(new RangeError("stop"));
  lock.release();
  await assertRejects(() => failing, RangeError, "stop");
  (await next).release();
});

Deno.test("shield() goes on in a cancelled scope, nested and async", async () => {
  const scope = new TestScope();
  await scope.run(async () => {
    scope.cancel(new RangeError("stop"));
    assertEquals(shield(() => 42), 42);
    shield(() => {
      sleepSync(1);
      shield(() => sleepSync(1));
      checkCancelled();
    });
    assertThrows(() => checkCancelled(), RangeError, "stop");
    await shield(async () => {
      const event = new Event();
      setTimeout(() => event.set(), 5);
      await event.wait();
      await shield(() => event.wait());
      await event.wait();
    });
    assertThrows(() => checkCancelled(), RangeError, "stop");
    const inner = new TestScope();
    // A scope that is entered in a shield is not shielded itself.
    shield(() =>
      inner.run(() => {
        sleepSync(1);
        inner.cancel(new TypeError("inner"));
        assertThrows(() => sleepSync(1), TypeError, "inner");
      })
    );
  });
});

Deno.test("signalOfScope() is aborted at once, and tells listeners later", async () => {
  const scope = new TestScope();
  await scope.run(async () => {
    const signal = signalOfScope(currentScope());
    assert(signal instanceof AbortSignal);
    assertEquals(signal.aborted, false);
    assertEquals(signal.reason, undefined);
    const events: string[] = [];
    signal.addEventListener("abort", () => events.push("listener"));
    signal.onabort = () => events.push("onabort");
    const removed = () => events.push("removed");
    signal.addEventListener("abort", removed);
    signal.removeEventListener("abort", removed);
    const before = AbortSignal.any([signal]);
    scope.cancel(new RangeError("stop"));
    assert(signal.aborted);
    assert(signal.reason instanceof RangeError);
    assertThrows(() => signal.throwIfAborted(), RangeError, "stop");
    assertEquals(events, []);
    const after = AbortSignal.any([signal]);
    await delay(10);
    assertEquals(events, ["listener", "onabort"]);
    assert(before.aborted && after.aborted);
    assertEquals(after.reason, signal.reason);
    assertEquals(signalOfScope(currentScope()), signal);
  });
});

Deno.test("signalOfScope() tells listeners when the loop turns if nobody looks", async () => {
  const scope = new TestScope();
  await scope.run(async () => {
    const signal = signalOfScope(currentScope());
    const { promise, resolve } = Promise.withResolvers<unknown>();
    signal.addEventListener("abort", () => resolve(signal.reason));
    const waiting = wait();
    setTimeout(() => scope.cancel(new RangeError("late")), 5);
    const reason = await promise;
    assertStrictEquals(await assertRejects(() => waiting, RangeError), reason);
  });
});
