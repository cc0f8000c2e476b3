import { assert, assertEquals, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { Event, Thread } from "../../threading/mod.ts";
import { leaving, shielded, wait, waits } from "./cancel_fixture.ts";

const TIMEOUT = 60_000;

async function readPid(file: string): Promise<number> {
  for (let i = 0; i < 6000; i++) {
    try {
      const pid = parseInt(await Deno.readTextFile(file));
      if (pid > 0) return pid;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the process did not start");
}

/** Whether a process lives; one that nobody has waited for may be a zombie. */
async function isRunning(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "stat=", "-p", `${pid}`],
  }).output();
  const state = new TextDecoder().decode(stdout).trim();
  return state !== "" && !state.startsWith("Z");
}

async function untilEnded(pid: number): Promise<void> {
  const start = Date.now();
  while (await isRunning(pid)) {
    assert(Date.now() - start < TIMEOUT, "the process goes on");
  }
}

for (const name of Object.keys(waits)) {
  test(`Thread.cancel() ends the child of ${name}()`, async () => {
    const file = await Deno.makeTempFile({ dir: "/tmp" });
    const thread = new Thread({
      target: wait,
      args: [name, file, new Event()],
    });
    thread.start();
    const pid = await readPid(file);
    thread.cancel(new RangeError(name));
    assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError, name);
    await untilEnded(pid);
    await Deno.remove(file);
  });
}

for (const name of Object.keys(leaving)) {
  test(`Thread.cancel() ends ${name}()`, async () => {
    const file = await Deno.makeTempFile({ dir: "/tmp" });
    const ready = new Event();
    const thread = new Thread({ target: wait, args: [name, file, ready] });
    thread.start();
    await ready.wait({ timeout: TIMEOUT });
    if (!name.startsWith("signal.")) {
      const pid = await readPid(file);
      thread.cancel(new RangeError(name));
      assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError);
      // A wait that is given up leaves it alone, but its pipes may have ended.
      await new Deno.Command("/bin/sh", { args: ["-c", `kill ${pid}`] })
        .output();
    } else {
      await new Promise((resolve) => setTimeout(resolve, 20));
      thread.cancel(new RangeError(name));
      assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError);
    }
    await Deno.remove(file);
  });
}

test("shield() lets a command run in a cancelled thread", () => {
  const ready = new Event();
  const go = new Event();
  const thread = new Thread({ target: shielded, args: [ready, go] });
  thread.start();
  ready.waitSync({ timeout: TIMEOUT });
  thread.cancel();
  go.set();
  assertEquals(thread.joinSync({ timeout: TIMEOUT }), "done\n");
});
