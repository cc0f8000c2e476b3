import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  Condition,
  InterpreterLock,
  Lock,
  RLock,
  ThreadingError,
} from "../../threading/mod.ts";

const locks = {
  RLock: () => new RLock(),
  Condition: () => new Condition(),
  InterpreterLock: () => new InterpreterLock(),
};

/** How a task can come about that does not hold what another one holds. */
const strangers: Record<string, (stray: () => void) => Promise<unknown>> = {
  "a task": async (stray) => {
    await delay(2);
    stray();
  },
  "a callback": (stray) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    setTimeout(() => {
      try {
        stray();
        resolve();
      } catch (error) {
        reject(error);
      }
    }, 2);
    return promise;
  },
  "a task that holds another lock": async (stray) => {
    using _ = await new RLock().acquire();
    await delay(2);
    stray();
  },
  "a task with a helper": async (stray) => {
    const help = async () => {
      await delay(2);
      stray();
    };
    await help();
  },
};

/** What only the holder can do. */
const deeds = {
  "release()": (lock: RLock) => lock.release(),
  "[Symbol.dispose]()": (lock: RLock) => lock[Symbol.dispose](),
};

for (const [kind, make] of Object.entries(locks)) {
  for (const [stranger, run] of Object.entries(strangers)) {
    for (const [deed, release] of Object.entries(deeds)) {
      Deno.test(`${kind}: ${deed} of ${stranger} that does not hold it throws`, async () => {
        const lock = make();
        let inside = 0;
        let most = 0;
        const gate = Promise.withResolvers<void>();
        const section = async () => {
          using _ = await lock.acquire();
          most = Math.max(most, ++inside);
          await gate.promise;
          inside--;
        };
        const first = section();
        const stray = run(() => release(lock as unknown as RLock));
        await assertRejects(() => stray, ThreadingError, "async task");
        const second = section();
        await delay(1);
        gate.resolve();
        await Promise.all([first, second]);
        assertEquals(most, 1);
        assert(!lock.locked());
      });
    }
  }
}

/** Has a task hold a lock until its gate is opened. */
async function hold(lock: RLock | Condition) {
  const gate = Promise.withResolvers<void>();
  let inside = false;
  const holder = (async () => {
    using _ = await lock.acquire();
    inside = true;
    await gate.promise;
  })();
  while (!inside) await delay(1);
  return { gate, holder };
}

Deno.test("Condition: a task that does not hold its RLock can neither wait nor notify", async () => {
  const condition = new Condition();
  const { gate, holder } = await hold(condition);
  const message = "does not hold its lock";
  await assertRejects(() => condition.wait(), ThreadingError, message);
  await assertRejects(
    () => condition.waitFor(() => true),
    ThreadingError,
    message,
  );
  assertThrows(() => condition.waitSync(), ThreadingError, message);
  assertThrows(() => condition.notify(), ThreadingError, message);
  assertThrows(() => condition.notifyAll(), ThreadingError, message);
  gate.resolve();
  await holder;
});

Deno.test("InterpreterLock: a task that does not hold it can neither check nor let others run", async () => {
  const lock = new InterpreterLock();
  let inside = false;
  const gate = Promise.withResolvers<void>();
  const holder = (async () => {
    using _ = await lock.acquire();
    for (let i = 0; i < 5; i++) {
      lock.check();
      await lock.allowThreads(() => delay(1));
      await delay(1);
    }
    inside = true;
    await gate.promise;
    lock.check();
  })();
  while (!inside) await delay(1);
  const message = "another async task";
  assertThrows(() => lock.check(), ThreadingError, message);
  assertThrows(() => lock.allowThreads(() => {}), ThreadingError, message);
  gate.resolve();
  await holder;
  lock.acquireSync().release();
});

Deno.test("RLock: a task that does not hold it cannot take it again", async () => {
  const lock = new RLock();
  const { gate, holder } = await hold(lock);
  assert(!lock.owned());
  assertEquals(lock.acquireNowait(), undefined);
  assertThrows(() => lock.acquireSync(), ThreadingError, "async task");
  const timeout = { timeout: 1 };
  await assertRejects(() => lock.acquire(timeout), DOMException);
  gate.resolve();
  await holder;
});

/** What a holder may do, in whatever function; all with `lock` held once. */
const parts: Record<string, (lock: RLock) => unknown> = {
  "asks in a helper": (lock) => assert(lock.owned()),
  "asks in a helper that awaits": async (lock) => {
    await delay(1);
    const deeper = async () => {
      await delay(1);
      assert(lock.owned());
    };
    await deeper();
  },
  "takes it again in a helper": async (lock) => {
    await delay(1);
    using _ = await lock.acquire({ timeout: 1000 });
    await delay(1);
    assert(lock.owned());
  },
  "takes it again without a block": async (lock) => {
    await lock.acquire({ timeout: 1000 });
    await delay(1);
    lock.release();
    await delay(1);
    assert(lock.owned());
  },
  "takes it again in a callback": async (lock) => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    setTimeout(() => {
      using _ = lock.acquireSync();
      resolve(lock.owned());
    }, 1);
    assert(await promise);
  },
  "lets tasks of its own take it": async (lock) => {
    const task = async () => {
      await delay(1);
      using _ = await lock.acquire({ timeout: 1000 });
    };
    await Promise.all([task(), task()]);
  },
  "disposes of it twice": (lock) => {
    lock.acquireSync();
    lock[Symbol.dispose]();
    assert(lock.owned());
  },
  "only reads what disposes of it": (lock) => {
    void lock[Symbol.dispose];
    assert(lock.owned());
  },
};

for (const [part, run] of Object.entries(parts)) {
  Deno.test(`RLock: its holder ${part}`, async () => {
    const lock = new RLock();
    {
      using _ = await lock.acquire();
      await run(lock);
      await delay(1);
      assert(lock.owned());
    }
    assert(!lock.locked());
    assert(!lock.owned());
  });
}

/** Helpers that leave the lock to their caller. */
const helpers: Record<string, (lock: RLock) => Promise<unknown>> = {
  "takes it": async (lock) => {
    await lock.acquire();
  },
  "takes it after an await": async (lock) => {
    await delay(1);
    await lock.acquire();
  },
  "asks": async (lock) => {
    await lock.acquire();
    assert(lock.owned());
    await delay(1);
    assert(lock.owned());
  },
  "takes another, too": async (lock) => {
    await lock.acquire();
    using _ = await new RLock().acquire();
    await delay(1);
  },
  "takes it again in a block": async (lock) => {
    await lock.acquire();
    using _ = await lock.acquire();
    await delay(1);
  },
  "gets it from a helper of its own": async (lock) => {
    await helpers["asks"](lock);
  },
};

for (const [name, help] of Object.entries(helpers)) {
  Deno.test(`RLock: the caller of a helper that ${name} holds it`, async () => {
    const lock = new RLock();
    await help(lock);
    await delay(1);
    assert(lock.owned());
    const release = async () => {
      await delay(1);
      lock.release();
    };
    await release();
    assert(!lock.locked());
    const helped = async () => {
      await help(lock);
      return lock;
    };
    {
      using _ = await helped();
      await delay(1);
      using __ = await lock.acquire({ timeout: 1000 });
      assert(lock.owned());
      const stray = async () => {
        await delay(1);
        return lock.owned();
      };
      assert(await stray(), "what the holder starts is part of it");
    }
    assert(!lock.locked());
    using other = new RLock().acquireSync();
    await help(lock);
    lock.release();
    assert(other.owned());
  });
}

Deno.test("Lock and RLock throw when they are disposed of once too often", async () => {
  for (const make of [() => new Lock(), locks.RLock, locks.InterpreterLock]) {
    const lock = await make().acquire();
    lock[Symbol.dispose]();
    assertThrows(() => lock[Symbol.dispose](), ThreadingError, "Cannot");
  }
});
