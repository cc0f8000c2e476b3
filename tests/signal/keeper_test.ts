// What is promised about ending the process, while threads cannot keep it.
import { assertEquals } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import { interrupted, run } from "./_run.ts";

for (const how of ["sleepSync", "getSync", "joinSync", "a busy loop"]) {
  const permissions = how === "joinSync" ? ["--allow-read"] : [];

  test(`onShutdown() ends by the second signal: ${how}`, async () => {
    const { code, signal, stdout } = await interrupted(
      ["promise", "onShutdown", how],
      ["SIGINT", "SIGINT"],
      ...permissions,
    );
    assertEquals([code, signal, stdout], [130, "SIGINT", "ready\n"]);
  });

  test(`abortOn() lets a second signal end the process: ${how}`, async () => {
    const { code, signal, stdout } = await interrupted(
      ["promise", "abortOn", how],
      ["SIGINT", "SIGTERM"],
      ...permissions,
    );
    assertEquals([code, signal, stdout], [143, "SIGTERM", "ready\n"]);
  });
}

for (const how of ["sleepSync", "a busy loop"]) {
  test(`onShutdown() ends when the deadline passes: ${how}`, async () => {
    const { code, signal, stdout } = await interrupted(
      ["promise", "onShutdown, a deadline", how],
      ["SIGTERM"],
    );
    assertEquals([code, signal, stdout], [143, "SIGTERM", "ready\n"]);
  });
}

test("onShutdown() ends the process although a busy thread has a handler", async () => {
  const { code, stdout } = await interrupted(
    "shutdown, besides a handler",
    ["SIGINT", "SIGINT"],
  );
  assertEquals([code, stdout], [137, "ready\n"]);
});

for (const how of ["joinSync", "a busy loop"]) {
  test(`abortOn() of a blocked thread lets a second signal end the process: ${how}`, async () => {
    const { code, signal, stdout } = await interrupted(
      ["promise of a thread", how],
      ["SIGINT", "SIGINT"],
      "--allow-read",
    );
    assertEquals([code, signal, stdout], [130, "SIGINT", "ready\n"]);
  });
}

test("onShutdown() can be kept by a worker of node, too", async () => {
  const name = "promise, the node keeper";
  const { code, signal } = await interrupted(
    [name, "onShutdown", "a busy loop"],
    ["SIGINT", "SIGINT"],
  );
  assertEquals([code, signal], [130, "SIGINT"]);
  // It does not hold the process open.
  assertEquals((await run([name, "onShutdown", "end"])).code, 0);
});
