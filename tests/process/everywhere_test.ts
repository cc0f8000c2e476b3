// What process does on every platform: with Deno itself as the program, so that
// neither a shell nor a program of Unix is needed.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CommandError,
  P_NOWAIT,
  pipeline,
  popen2,
  run,
  runSync,
  spawn,
  waitpid,
} from "../../process/mod.ts";

const NO_SUCH = ["skein-has-no-such-program"];

/** A command that runs JavaScript. */
function deno(code: string): string[] {
  return ["deno", "eval", code];
}

const COPY = deno("await Deno.stdin.readable.pipeTo(Deno.stdout.writable);");
const UPPER = deno(`
  const text = await new Response(Deno.stdin.readable).text();
  console.log(text.trim().toUpperCase());`);
const SLEEP = deno("setTimeout(() => {}, 60_000);");

Deno.test("everywhere: run() gives output, errors and status", async () => {
  const cmd = deno(`console.log("out"); console.error("err"); Deno.exit(3);`);
  for (
    const { status, stdout, stderr } of [
      await run(cmd, { check: false }),
      runSync(cmd, { check: false }),
    ]
  ) {
    assertEquals([status, stdout, stderr], [3, "out\n", "err\n"]);
  }
  const error = await assertRejects(() => run(cmd), CommandError);
  assertEquals([error.status, error.signal], [3, undefined]);
});

Deno.test("everywhere: arguments arrive as they are", async () => {
  const words = ["a b", "", `"`, "'", "$HOME", "%PATH%", "*", "\\", "\u00e4"];
  const cmd = ["deno", "eval", "console.log(JSON.stringify(Deno.args));"];
  const { stdout } = await run([...cmd, "--", ...words]);
  assertEquals(JSON.parse(stdout).slice(-words.length), words);
});

Deno.test("everywhere: cwd, env and input reach the program", async () => {
  const cmd = deno(`
    console.log(Deno.env.get("SKEIN_TEST"));
    await Deno.stdin.readable.pipeTo(Deno.stdout.writable);`);
  const options = { env: { SKEIN_TEST: "spam" }, input: "eggs" };
  const cmds = ["deno", "eval", ...cmd.slice(2)];
  assertEquals((await run(cmds, options)).stdout, "spam\neggs");
});

Deno.test("everywhere: pipeline() joins programs, and lines() reads them", async () => {
  const both = pipeline(COPY, UPPER).from("spam\neggs\n");
  assertEquals(await both.text(), "SPAM\nEGGS\n");
  assertEquals(both.textSync(), "SPAM\nEGGS\n");
  assertEquals(await Array.fromAsync(both.lines()), ["SPAM", "EGGS"]);
});

Deno.test("everywhere: a timeout ends the program", async () => {
  const options = { timeout: 500, killGrace: 100 };
  const error = await assertRejects(() => run(SLEEP, options), DOMException);
  assertEquals(error.name, "TimeoutError");
});

Deno.test("everywhere: popen2() talks to a program", async () => {
  const { stdin, stdout, process } = popen2(COPY);
  await stdin.write("spam\n");
  assertEquals(await stdout.readline(), "spam\n");
  await stdin.close();
  assertEquals(await process.wait(), 0);
});

Deno.test("everywhere: spawn() starts a program, waitpid() waits for it", async () => {
  const pid = await spawn(P_NOWAIT, deno("Deno.exit(4);"));
  assert(pid > 0);
  assertEquals(await waitpid(pid), 4);
});

Deno.test("everywhere: a program that does not exist is an error", async () => {
  const { NotFound } = Deno.errors;
  await assertRejects(() => run(NO_SUCH), NotFound, NO_SUCH[0]);
  assertThrows(() => runSync(NO_SUCH), NotFound, NO_SUCH[0]);
});
