import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  enumerate,
  Event,
  getIdent,
  Lock,
  NotSendableError,
  Thread,
} from "../../threading/mod.ts";
import { allocateLock, startNewThread } from "../../threading/low_level.ts";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import {
  leave,
  leaveAsync,
  leaveFromATimer,
  ring,
  ringFromAThread,
  sleepForEver,
  tellIdent,
} from "./low_level_fixture.ts";

const PROGRAM = new URL("./low_level_program.ts", import.meta.url).href;

async function run(name: string) {
  const { code, signal, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--no-prompt", "--allow-read", PROGRAM, name],
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

Deno.test("startNewThread() returns the thread's identity", async () => {
  const seen = new SharedNumber();
  const done = new Event();
  const ident = startNewThread(tellIdent, [seen, done]);
  await done.wait({ timeout: 5000 });
  assertEquals(seen.value, ident);
  assertNotEquals(ident, getIdent());
});

Deno.test("startNewThread() takes no arguments, starts a daemon", () => {
  const ident = startNewThread(sleepForEver);
  const thread = enumerate().find((thread) => thread.ident === ident);
  assert(thread?.daemon);
  thread.terminate();
});

Deno.test("startNewThread() works from a thread", () => {
  const bell = new Event();
  startNewThread(ringFromAThread, [bell]);
  bell.waitSync({ timeout: 5000 });
});

Deno.test("startNewThread() checks what it is given", () => {
  assertThrows(() => startNewThread(1 as never), TypeError, "received 1");
  assertThrows(
    () => startNewThread(ring, new Event() as never),
    TypeError,
    "args",
  );
  assertThrows(() => startNewThread(() => {}), NotSendableError);
});

Deno.test("startNewThread() threads die with the main program", async () => {
  const { code, stdout, stderr } = await run("daemons");
  assertEquals([code, stdout, stderr], [0, "goodbye!\n", ""]);
});

Deno.test("startNewThread() has uncaught errors printed", async () => {
  const { code, stderr } = await run("fail");
  assertEquals(code, 0);
  assertStringIncludes(stderr, "RangeError: out of luck");
});

Deno.test("allocateLock() makes a free lock", () => {
  const lock = allocateLock();
  assertInstanceOf(lock, Lock);
  assert(!lock.locked());
});

Deno.test("exit() ends a thread silently, finally blocks run", () => {
  const cleanedUp = new Event();
  const thread = new Thread({ target: leave, args: [cleanedUp] });
  thread.start();
  assertEquals(thread.joinSync(), undefined);
  assert(cleanedUp.isSet());
});

Deno.test("exit() ends an async thread", async () => {
  const thread = new Thread({ target: leaveAsync, args: [] });
  thread.start();
  assertEquals(await thread.join({ timeout: 5000 }) as unknown, undefined);
});

Deno.test("exit() ends a thread from one of its timers", async () => {
  const thread = new Thread({ target: leaveFromATimer, args: [] });
  thread.start();
  assertEquals(await thread.join({ timeout: 5000 }) as unknown, undefined);
});

Deno.test("exit() in the main thread ends the process", async () => {
  const { code, stdout, stderr } = await run("exit");
  assertEquals([code, stdout, stderr], [0, "", ""]);
});

Deno.test("interruptMain() raises SIGINT in the main thread", async () => {
  const { code, stdout } = await run("interruptHere");
  assertEquals([code, stdout], [7, "interrupted\n"]);
});

Deno.test("interruptMain() works from a thread", async () => {
  const { code, stdout } = await run("interruptFromAThread");
  assertEquals([code, stdout], [7, "interrupted\n"]);
});

Deno.test("interruptMain() ends a process without a handler", async () => {
  const { signal, stdout } = await run("interrupt");
  assertEquals([signal, stdout], ["SIGINT", ""]);
});
