// What a signal meets that is on its way while handlers change.
import { assertEquals } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import { interrupted, run } from "./_run.ts";

for (const from of ["at once", "turned"]) {
  for (const how of ["SIG_DFL", "abortOn", "onShutdown", "sigwait"]) {
    test(`signal on its way, ${how} removed: the kernel's action, ${from}`, async () => {
      const { signal, stdout, stderr } = await run(["removed", how, from]);
      assertEquals([signal, stdout], ["SIGINT", ""], stderr);
    });
  }

  test(`signal on its way, handler replaced: the next handler, ${from}`, async () => {
    const { stdout } = await run(["removed", "handler", from]);
    assertEquals(stdout, "handled by the next\nalive\n");
  });

  test(`signal on its way, SIG_IGN set: ignored, ${from}`, async () => {
    assertEquals((await run(["removed", "SIG_IGN", from])).stdout, "alive\n");
  });
}

test("signal() with SIG_DFL gives the kernel's action back at once", async () => {
  const { signal } = await interrupted("removed, and blocked", ["SIGINT"]);
  assertEquals(signal, "SIGINT");
});

test("signal() with SIG_DFL in a handler: one that came meanwhile counts", async () => {
  const { signal, stdout } = await run("removed by itself");
  assertEquals([signal, stdout], ["SIGINT", "handled\n"]);
});

test("signal() with SIG_DFL: what others handle is not raised again", async () => {
  const { code, stdout } = await run("removed, while others handle it");
  assertEquals([code, stdout], [0, "true\n"]);
});

test("signal() with SIG_DFL: what was ignored stays so", async () => {
  const { signal, stdout } = await run("ignored again");
  assertEquals([signal, stdout], ["SIGINT", "alive\n"]);
});

for (const how of ["ends", "removes it"]) {
  test(`signal on its way to a thread that ${how}: the kernel's action`, async () => {
    const which: [string, string] = ["removed in a thread", how];
    const { signal, stdout, stderr } = await run(which, "--allow-read");
    assertEquals([signal, stdout], ["SIGTERM", ""], stderr);
  });
}

for (const how of ["ends", "is killed"]) {
  test(`abortOn() of a thread that ${how}: the kernel's action`, async () => {
    const { signal, stdout, stderr } = await run(
      `abortOn of a thread that ${how}`,
      "--allow-read",
    );
    const expected = how === "ends" ? "SIGTERM" : "SIGINT";
    assertEquals([signal, stdout], [expected, ""], stderr);
  });
}
