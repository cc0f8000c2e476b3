import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import { Signals } from "../../signal/mod.ts";
import { interrupted, run, start } from "./_run.ts";

test("raiseSignal() without a handler ends the process", async () => {
  const { signal, code } = await run("raise without a handler");
  assertEquals([signal, code], ["SIGTERM", 128 + 15]);
});

test("signal() with SIG_DFL gives the kernel's action back", async () => {
  const { signal, stdout } = await run("raise after SIG_DFL");
  assertEquals([signal, stdout], ["SIGUSR2", "handled\n"]);
});

test("signal() with SIG_IGN ignores, and ends no sleep", async () => {
  const { code, stdout } = await run("raise with SIG_IGN");
  assertEquals([code, stdout], [0, "0\n"]);
});

test("signal() and alarm() do not keep the process alive", async () => {
  const { code, took } = await run("a handler alone");
  assertEquals(code, 0);
  assert(took < 15_000);
});

for (const how of ["throws", "rejects"]) {
  test(`signal() with a handler that ${how}: an uncaught error`, async () => {
    const { code, stderr } = await run(`a handler that ${how}`);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Uncaught");
    assertStringIncludes(
      stderr,
      how === "throws" ? "thrown by" : "rejected by",
    );
  });
}

test("a signal that came while the last line of the program blocked is handled", async () => {
  const { code, stdout } = await interrupted("a last line that blocks", [
    "SIGUSR2",
  ]);
  assertEquals([code, stdout], [0, "ready\nhandled\n"]);
  for (
    const which of [
      "a last line that blocks past an alarm",
      "a last line that blocks, and a timer that goes on",
    ]
  ) {
    const { code, stdout, stderr } = await run(which);
    assertEquals([code, stderr], [0, ""]);
    assert(stdout.startsWith("handled\n"), which);
  }
});

test("signal() with a handler that throws delivers later signals", async () => {
  const { code, stdout, stderr } = await run("a handler that throws, survived");
  assertEquals(code, 0, stderr);
  assertEquals(stdout, "error\nunhandledrejection\n".repeat(2));
});

test("signal() survives bursts", async () => {
  const { code, stdout, stderr } = await run("bursts");
  assertEquals(code, 0, stderr);
  assertEquals(stdout, "true 100000 true\n");
});

test("defaultIntHandler ends the process in good order", async () => {
  const { code, stderr } = await run("defaultIntHandler");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "SignalInterrupt: SIGINT was received");
});

for (const how of ["idle", "busy", "blocked", "busy after SIG_DFL"]) {
  test(`alarm() without a handler ends the process: ${how}`, async () => {
    const { signal, code, took } = await run(`alarm, ${how}`);
    assertEquals([signal, code], ["SIGALRM", 128 + Signals.SIGALRM!]);
    assert(took > 200);
  });
}

for (const how of ["replaced by a later one", "cancelled while blocked"]) {
  test(`alarm() ${how} does not strike`, async () => {
    const { code, stdout } = await run(`alarm, ${how}`);
    assertEquals([code, stdout], [0, "alive\n"]);
  });
}

test("setitimer() is handled once the thread is free", async () => {
  const { code, stdout } = await run("setitimer, handled once free");
  assertEquals([code, stdout], [0, "0\ntrue\n"]);
});

for (
  const [how, line] of [["a thread's", "ended"], [
    "a killed thread's",
    "killed",
  ]]
) {
  test(`signal() gives the kernel's action back after ${how} handler`, async () => {
    const name = `raise after ${how} handler`;
    const { signal, stdout, stderr } = await run(name, "--allow-read");
    assertEquals([signal, stdout], ["SIGUSR2", `${line}\n`], stderr);
  });
}

test("sigwait() of a thread serves a main thread that is blocked", async () => {
  const name = "sigwait in a thread, the main one blocked";
  const { code, stdout, stderr } = await run(name, "--allow-read");
  assertEquals([code, stdout], [0, "15\n"], stderr);
});

test("alarm() of a thread that has gone is a watchdog too", async () => {
  const name = "a thread's alarm, its thread gone, nobody handles it";
  const { signal, stderr } = await run(name, "--allow-read");
  assertEquals(signal, "SIGALRM", stderr);
});

test("alarm() of a busy thread strikes while the main one is blocked", async () => {
  const name = "a thread's alarm, both busy";
  const { signal, stderr } = await run(name, "--allow-read");
  assertEquals(signal, "SIGALRM", stderr);
});

test("sigwait() hears interruptMain() of a thread", async () => {
  // deno test itself ends for SIGINT.
  const { code, stdout, stderr } = await run("interruptMain", "--allow-read");
  assertEquals([code, stdout], [0, "2\n"], stderr);
});

test("sigwait() can be called again and again", async () => {
  assertEquals((await run("sigwait again and again")).code, 0);
});

test("kill() sends SIGTERM, and finds out what is there", async () => {
  const { code, stdout, stderr } = await run("kill a child", "--allow-run");
  assertEquals([code, stdout], [0, "SIGTERM\nNotFound\n"], stderr);
});

test("kill() needs a permission for another process only", async () => {
  const { signal, stdout } = await run("kill another");
  assertEquals([signal, stdout], ["SIGTERM", "NotCapable\n"]);
});

test("onShutdown() cleans up and leaves with 128 + n", async () => {
  const { code, signal, stdout } = await run("shutdown");
  assertEquals([code, signal], [128 + 15, null]);
  assertEquals(stdout, "cleaning 15 SIGTERM\nalso\nclean\n");
});

test("onShutdown() prints the error of a cleanup, and leaves", async () => {
  const { code, stderr } = await run("shutdown that fails");
  assertEquals(code, 128 + 2);
  assertStringIncludes(stderr, "no cleanup");
});

test("onShutdown() leaves when the deadline passes", async () => {
  assertEquals((await run("shutdown that hangs")).code, 128 + 15);
});

test("onShutdown() cleans up for a signal that comes just before the end", async () => {
  const { code, stdout } = await run("shutdown at the end");
  assertEquals([code, stdout], [128 + 15, "cleanup\n"]);
});

test("onShutdown() leaves at once for a second signal", async () => {
  const { code, stdout, took } = await run("shutdown, a second signal");
  assertEquals([code, stdout], [128 + 2, "cleaning\n"]);
  assert(took < 5000);
});

test("abortOn() lets a second signal end the process", async () => {
  const { signal, stdout } = await run("abortOn, a second signal");
  assertEquals([signal, stdout], ["SIGTERM", "SIGINT was received\n"]);
});

test("pause() keeps the process alive until a signal from outside", async () => {
  const { before, after, ...ending } = await killed("pause");
  assertEquals([before, after], ["ready\n", "handled\nover\n"]);
  assertEquals(ending.code, 0);
});

test("sigwait() takes a signal, once", async () => {
  const { after, signal } = await killed("sigwait");
  assertEquals([after, signal], ["15\n", "SIGTERM"]);
});

test("sleep(), pause(), sigwait(), abortOn() in a handler are not ended by its signal", async () => {
  const { code, stdout, stderr } = await run("sleep in a handler");
  assertEquals(code, 0, stderr);
  const lines = stdout.trim().split("\n").sort();
  assertEquals(lines, [
    "abortOn false",
    "pause TimeoutError",
    "sigwait TimeoutError",
    "sleep 0",
  ]);
});

test("onShutdown() reports each cleanup that fails, and runs the others", async () => {
  const { code, stdout, stderr } = await run(["cleanups that fail", "printed"]);
  assertEquals([code, stdout], [128 + 15, "third cleanup\n"]);
  for (const name of ["first", "second"]) {
    assertEquals(stderr.split(`Error: ${name} cleanup`).length, 2, stderr);
  }
});

test("onShutdown() tells the error listeners of what a cleanup throws", async () => {
  const { code, stdout, stderr } = await run([
    "cleanups that fail",
    "prevented",
  ]);
  assertEquals([code, stderr], [128 + 15, ""]);
  assertEquals(stdout, "third cleanup first cleanup second cleanup\n");
});

test("abortOn() aborts all, though listeners throw, and later signals arrive", async () => {
  const { code, stdout, stderr } = await run("abort listeners that throw");
  assertEquals([code, stdout], [0, "first\nsecond\nhandled\n"], stderr);
});

/** Sends SIGTERM to a case of the program when it has written its first line. */
async function killed(name: string) {
  const child = start(name);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const before = (await reader.read()).value;
  child.kill("SIGTERM");
  let after = "";
  for (let next; (next = await reader.read()).value !== undefined;) {
    after += next.value;
  }
  await child.stderr.cancel();
  const { code, signal } = await child.status;
  return { before, after, code, signal };
}
