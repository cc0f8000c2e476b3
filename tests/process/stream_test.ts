import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  CommandError,
  pipeline,
  type RunOptions,
  type Source,
} from "../../process/mod.ts";
import { run, runSync } from "../../process/run.ts";
import { testWays } from "./ways.ts";

const everyWay = testWays({ limit: 20_000 });

/** The errors that a child's own standard input may end with. */
const BROKEN = [
  () => new Deno.errors.BrokenPipe("gone"),
  () => new Deno.errors.ConnectionReset("gone"),
];

/** Sources that give one chunk and fail, by their names. */
const FAILING: Record<string, (error: Error) => Source> = {
  iterator: (error) =>
    (function* () {
      yield "first\n";
      throw error;
    })(),
  "async iterator": (error) =>
    (async function* () {
      yield "first\n";
      await Promise.resolve();
      throw error;
    })(),
  stream: (error) => {
    let pulls = 0;
    return new ReadableStream<string>({
      pull: (controller) =>
        pulls++ === 0 ? controller.enqueue("first\n") : controller.error(error),
    });
  },
};

for (const [name, make] of Object.entries(FAILING)) {
  everyWay(
    `run() rejects with the broken pipe of a source: ${name}`,
    async () => {
      for (const broken of BROKEN) {
        const error = broken();
        const stages = [["cat"], ["cat"]];
        const calls = [
          () => run(["cat"], { input: make(error) }),
          () => pipeline(...stages).from(make(error)).run(),
          () => Array.fromAsync(pipeline(...stages).from(make(error)).lines()),
        ];
        for (const call of calls) {
          assertStrictEquals(await assertRejects(call), error);
        }
      }
    },
  );
}

test("runSync() throws the broken pipe of a source", () => {
  for (const broken of BROKEN) {
    const error = broken();
    const input = () => FAILING.iterator(error) as Iterable<string>;
    const calls = [
      () => runSync(["cat"], { input: input() }),
      () => pipeline(["cat"]).from(input()).runSync(),
      () => Array.from(pipeline(["cat"]).from(input()).linesSync()),
    ];
    for (const call of calls) assertStrictEquals(assertThrows(call), error);
  }
});

everyWay("run() rejects with the broken pipe of a sink or a tee", async () => {
  for (const broken of BROKEN) {
    const error = broken();
    const fail = () => {
      throw error;
    };
    const sinks = [{ write: fail }, { close: fail }].map((sink) => () =>
      new WritableStream<Uint8Array>(sink)
    );
    for (const sink of sinks) {
      const calls = [
        () => run(["echo", "hi"], { stdout: sink() }),
        () => pipeline(["echo", "hi"], ["cat"]).to(sink()).status(),
      ];
      for (const call of calls) {
        assertStrictEquals(await assertRejects(call), error);
      }
    }
    const tee = sinks[0]();
    const teed = await assertRejects(() => run(["echo", "hi"], { tee }));
    assertStrictEquals(teed, error);
    assert(!tee.locked);
  }
});

everyWay(
  "run() rejects with the error of an open file that carries its bytes",
  async () => {
    const path = await Deno.makeTempFile({ dir: "/tmp" });
    using writeOnly = await Deno.open(path, { write: true });
    using readOnly = await Deno.open(path, { read: true });
    await assertRejects(() => run(["cat"], { input: writeOnly }));
    await assertRejects(() => run(["echo", "hi"], { stdout: readOnly }));
    assertThrows(() => runSync(["cat"], { input: writeOnly }));
    assertThrows(() => runSync(["echo", "hi"], { stdout: readOnly }));
    await Deno.remove(path);
  },
);

everyWay("run() gives a source no end that failed", async () => {
  // A child that reads the end of its input would take it for complete.
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const cmd = `trap '' TERM; cat >/dev/null; echo complete >${path}`;
  await assertRejects(
    () => run(cmd, { killGrace: 200, input: FAILING.iterator(new Error()) }),
  );
  assertEquals(await Deno.readTextFile(path), "");
  await Deno.remove(path);
});

/** A stream that is waited for, and what became of it. */
function waiting(chunk?: string) {
  const seen: { reason?: unknown; cancelled: boolean } = { cancelled: false };
  const stream = new ReadableStream<string>({
    start: (controller) => {
      if (chunk !== undefined) controller.enqueue(chunk);
    },
    pull: () => new Promise(() => {}),
    cancel: (reason) => {
      seen.cancelled = true;
      seen.reason = reason;
    },
  }, { highWaterMark: 0 });
  return { stream, seen };
}

/** A way in which a source is not read to its end. */
type Left = (input: Source) => Promise<unknown>;

const options = { timeout: 50 };
const abort = () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  return controller.signal;
};
const failingSink = () =>
  new WritableStream({
    write: () => {
      throw new RangeError("full");
    },
  });

const LEFT: Record<string, Left> = {
  "when the child ends": (input) => run(["true"], { input }),
  "when the child reads enough": (input) =>
    run(["head", "-n", "1"], { input }).catch(() => {}),
  "when the last stage ends": (input) =>
    pipeline(["true"], ["cat"]).from(input).run(),
  "when a stage fails": (input) =>
    assertRejects(() => pipeline("exit 3", ["cat"]).from(input).run()),
  "at the timeout": (input) =>
    assertRejects(() => run(["cat"], { input, ...options })),
  "when it is aborted": (input) =>
    assertRejects(() => run(["cat"], { input, signal: abort() })),
  "when it was aborted before": (input) =>
    assertRejects(() => run(["cat"], { input, signal: AbortSignal.abort() })),
  "when the program is missing": (input) =>
    assertRejects(() => run(["no-such-program"], { input })),
  "when a stage is missing": (input) =>
    assertRejects(() =>
      pipeline(["cat"], ["no-such-program"]).from(input).run()
    ),
  "when a file is missing": (input) =>
    assertRejects(() => run(["cat"], { input, stdout: { path: "/no/such" } })),
  "when there is too much": (input) =>
    assertRejects(() => run("yes & cat", { input, maxBuffer: 10 })),
  "when the sink fails": (input) =>
    assertRejects(() => run("echo; cat", { input, stdout: failingSink() })),
  "when the progress throws": (input) =>
    assertRejects(() =>
      run(["cat"], {
        input,
        onProgress: () => {
          throw new RangeError("no progress");
        },
      })
    ),
  "when a loop over the lines is left": async (input) => {
    for await (const _ of pipeline("echo; cat").from(input).lines()) break;
  },
};

for (const [when, leave] of Object.entries(LEFT)) {
  everyWay(`run() cancels a source ${when}`, async () => {
    const { stream, seen } = waiting("a\n");
    await leave(stream);
    assert(seen.cancelled);
    assert(!stream.locked);
    // A branch is only cancelled when the other one is, too.
    const [branch, other] = waiting("a\n").stream.tee();
    await leave(branch);
    assert(!branch.locked);
    assertEquals((await other.getReader().read()).value, "a\n");
  });
  everyWay(`run() tells an iterator to return ${when}`, async () => {
    const returned: string[] = [];
    let asked = 0;
    const iterator: AsyncIterableIterator<string> = {
      next: () =>
        asked++ === 0
          ? Promise.resolve({ value: "a\n", done: false })
          : new Promise(() => {}),
      return: () => {
        returned.push("async");
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    await leave(iterator);
    assertEquals(returned, ["async"]);
  });
}

everyWay("run() tells a synchronous iterator to return", async () => {
  for (const cmd of [["head", "-n", "1"], ["no-such-program"]]) {
    let begun = 0;
    let returned = 0;
    const iterator: IterableIterator<string> = {
      next: () => ({ value: "a\n".repeat(1000), done: false, n: begun++ }),
      return: () => ({ value: undefined, done: true, n: returned++ }),
      [Symbol.iterator]: () => iterator,
    };
    await run(cmd, { input: iterator }).catch(() => {});
    assertEquals(returned, 1);
    assertEquals(begun > 0, cmd[0] === "head");
  }
});

everyWay("run() leaves a source for its error", async () => {
  const { stream, seen } = waiting();
  const error = await assertRejects(
    () => run(["cat"], { input: stream, timeout: 20 }),
  );
  assertStrictEquals(seen.reason, error);
});

everyWay("run() unlocks a source that was read to its end", async () => {
  for (const chunks of [["a"], []]) {
    const input = ReadableStream.from(chunks);
    assertEquals((await run(["cat"], { input })).stdout, chunks.join(""));
    assert(!input.locked);
  }
});

/** A sink that tells how it ended. */
function sink() {
  const seen: { end?: string; reason?: unknown } = {};
  const stream = new WritableStream<Uint8Array>({
    close: () => void (seen.end = "closed"),
    abort: (reason) => {
      seen.end = "aborted";
      seen.reason = reason;
    },
  });
  return { stream, seen };
}

const FAILURES: Record<string, RunOptions & { cmd: string | string[] }> = {
  "a failing stage": { cmd: "echo a; exit 3" },
  "the timeout": { cmd: "echo a; exec sleep 60", timeout: 50 },
  "a missing program": { cmd: ["no-such-program"] },
  "too much": { cmd: "yes >&2", maxBuffer: 10 },
  "a source's error": { cmd: ["cat"] },
};

for (const [why, { cmd, ...options }] of Object.entries(FAILURES)) {
  everyWay(`run() aborts its sink after ${why}`, async () => {
    const input = why === "a source's error"
      ? FAILING.iterator(new RangeError("no more"))
      : undefined;
    const { stream, seen } = sink();
    const error = await assertRejects(
      () => run(cmd, { ...options, input, stdout: stream }),
    );
    assertEquals(seen.end, "aborted");
    assertStrictEquals(seen.reason, error);
    assert(!stream.locked);
  });
}

everyWay(
  "run() closes its sink, also of a failing stage without check",
  async () => {
    for (const cmd of ["echo a", "echo a; exit 3"]) {
      const { stream, seen } = sink();
      await run(cmd, { stdout: stream, check: false });
      assertEquals(seen.end, "closed");
      assert(!stream.locked);
    }
  },
);

everyWay(
  "run() with a sink that cannot be closed ends by its timeout",
  async () => {
    const stuck = new WritableStream({ close: () => new Promise(() => {}) });
    const error = await assertRejects(
      () => run(["echo"], { stdout: stuck, timeout: 100 }),
      DOMException,
    );
    assertEquals(error.name, "TimeoutError");
    assert(!stuck.locked);
  },
);

everyWay("run() with a locked stream fails, and leaves no child", async () => {
  const locked = new WritableStream();
  locked.getWriter();
  for (const options of [{ stdout: locked }, { tee: locked }]) {
    await assertRejects(() => run("exec sleep 60", options), TypeError);
  }
});

/** What of the user's fails while a command runs. */
const USER: Record<string, (error: Error) => Promise<unknown>> = {
  "onProgress, at once": (error) =>
    run("exec sleep 60", {
      onProgress: () => {
        throw error;
      },
    }),
  "onProgress, at the end": (error) =>
    run(["true"], {
      onProgress: ({ done }) => {
        if (done) throw error;
      },
    }),
  "an async onProgress": (error) =>
    run("exec sleep 60", { onProgress: () => Promise.reject(error) }),
  "an async onProgress, at the end": (error) =>
    run(["true"], {
      onProgress: async ({ done }) => {
        await Promise.resolve();
        if (done) throw error;
      },
    }),
  "an iterator's return": (error) => {
    const iterator: IterableIterator<string> = {
      next: () => ({ value: "a\n".repeat(1000), done: false }),
      return: () => {
        throw error;
      },
      [Symbol.iterator]: () => iterator,
    };
    return run(["head", "-n", "1"], { input: iterator });
  },
  "what makes the iterator": (error) =>
    run(["cat"], {
      input: {
        [Symbol.iterator]: () => {
          throw error;
        },
      },
    }),
  "a stream's cancel": (error) =>
    run(["true"], {
      input: new ReadableStream<string>({
        cancel: () => {
          throw error;
        },
      }),
    }),
  "a getter of an option": (error) =>
    run(["true"], {
      get timeout(): number {
        throw error;
      },
    }),
};

for (const [what, fail] of Object.entries(USER)) {
  everyWay(`run() rejects with an error of ${what}`, async () => {
    const error = new RangeError("of the user");
    assertStrictEquals(await assertRejects(() => fail(error)), error);
  });
}

everyWay("run() tells no progress after an error of onProgress", async () => {
  let calls = 0;
  const onProgress = () => {
    calls++;
    throw new RangeError("no progress");
  };
  await assertRejects(
    () => run("trap '' TERM; sleep 1", { onProgress, killGrace: 400 }),
    RangeError,
  );
  assertEquals(calls, 1);
});

everyWay(
  "run() tells an iterator to return after a chunk of a wrong type",
  async () => {
    let returned = false;
    const input = (function* () {
      try {
        yield 5 as unknown as string;
      } finally {
        returned = true;
      }
    })();
    await assertRejects(() => run(["cat"], { input }), TypeError, "bytes");
    assert(returned);
  },
);

everyWay("run() keeps nothing for each chunk", async () => {
  // Waits that left something behind at a promise for the end would show.
  const chunk = new Uint8Array(1);
  let left = 200_000;
  let most = 0;
  const input = (function* () {
    while (left-- > 0) {
      if (left % 50_000 === 0) most = Math.max(most, Deno.memoryUsage().rss);
      yield chunk;
    }
  })();
  const before = Deno.memoryUsage().rss;
  await run("cat >/dev/null", { input });
  assert(most - before < 100e6, `${(most - before) / 1e6} MB`);
});

test("a failing stage is a CommandError, whatever the sink says", async () => {
  const stream = new WritableStream({
    abort: () => {
      throw new RangeError("cannot abort");
    },
  });
  await assertRejects(() => run("exit 3", { stdout: stream }), CommandError);
});

everyWay(
  "run() and pipeline() tell of a shell that ends before its input",
  async () => {
    // The line that opens its gate breaks the stream before the source is closed.
    for (const source of ["", "spam", [], ReadableStream.from(["spam"])]) {
      const wrong = pipeline("if", ["cat"]).from(source as Source);
      const error = await assertRejects(() => wrong.run(), CommandError);
      assertEquals([error.stage, error.status], [0, 2]);
    }
  },
);

everyWay(
  "run() rejects with the error of a sink that breaks by itself",
  async () => {
    const failure = new Error("broken");
    const sink = new WritableStream<Uint8Array>({
      start(controller) {
        setTimeout(() => controller.error(failure), 20);
      },
    });
    const error = await assertRejects(() => run("sleep 0.2", { stdout: sink }));
    assertStrictEquals(error, failure);
  },
);
