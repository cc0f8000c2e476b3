import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { linuxTest, unixTest as test } from "../platform.ts";
import {
  fork,
  getpid,
  getppid,
  P_DETACH,
  P_NOWAIT,
  P_WAIT,
  spawn,
  type SpawnMode,
  spawnSync,
  system,
  systemSync,
  waitpid,
  waitpidNowait,
  waitpidSync,
} from "../../process/mod.ts";

const MOD = new URL("../../process/mod.ts", import.meta.url).href;

test("system() gives the status", async () => {
  assertEquals(await system("exit 3"), 3);
  assertEquals(await system("kill -9 $$"), -9);
  assertEquals(systemSync("exit 3"), 3);
  assertEquals(systemSync(["true"], { timeout: 60_000 }), 0);
});

test("spawn() waits, or gives a number to wait for", async () => {
  assertEquals(await spawn(P_WAIT, "exit 3"), 3);
  assertEquals(spawnSync(P_WAIT, "exit 3"), 3);
  const pid = await spawn(P_NOWAIT, "sleep 0.1; exit 4");
  assertEquals(waitpidNowait(pid), undefined);
  assertThrows(() => waitpidSync(pid), TypeError);
  const error = await assertRejects(
    () => waitpid(pid, { timeout: 10 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assertEquals(await waitpid(pid), 4);
  await assertRejects(() => waitpid(pid), Deno.errors.NotFound);
  assertThrows(() => waitpidNowait(pid), Deno.errors.NotFound);
  await assertRejects(() => spawn(7 as SpawnMode, "true"), RangeError);
});

test("spawnSync() can be waited for in both forms", async () => {
  assertEquals(waitpidSync(spawnSync(P_NOWAIT, "exit 5")), 5);
  assertEquals(await waitpid(spawnSync(P_NOWAIT, "exit 6")), 6);
  const pid = spawnSync(P_NOWAIT, "sleep 0.1");
  assertThrows(() => waitpidSync(pid, { timeout: 5 }), DOMException);
  assertEquals(waitpidSync(pid), 0);
});

test("spawn() detaches", async () => {
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const pid = await spawn(P_DETACH, `sleep 0.05; echo $$ > ${path}`);
  for (let i = 0; i < 100; i++) {
    if ((await Deno.readTextFile(path)) !== "") break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(await Deno.readTextFile(path), `${pid}\n`);
  await Deno.remove(path);
});

test("getpid(), getppid() are Deno's", () => {
  assertEquals(getpid(), Deno.pid);
  assertEquals(getppid(), Deno.ppid);
});

test("kill() ends a process", async () => {
  const code = `const pid = await p.spawn(p.P_NOWAIT, ["sleep", "60"]);
    p.kill(pid, 9); console.log(await p.waitpid(pid));`;
  const child = program(code);
  await child.stdin.close();
  const { stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "-9\n");
});

test("fork() says what to use instead", () => {
  assertThrows(() => fork(), Deno.errors.NotSupported, "daemonize()");
});

const CONFIG = `--config=${
  new URL("../../deno.json", import.meta.url).pathname
}`;

/** Runs a program that takes part in the test as a whole process. */
function program(code: string, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command("deno", {
    args: [
      "eval",
      "--no-check",
      `import * as p from "${MOD}";${code}`,
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

for (const call of ["await p.exec", "p.execSync"]) {
  const name = call.replace(/.*\./, "");
  test(`${name}() passes streams and status through`, async () => {
    const child = program(`${call}("cat; exit 7"); console.log("never");`);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("spam"));
    await writer.close();
    const { code, stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout), "spam");
    assertEquals(code, 7);
  });

  test(`${name}() passes signals through`, async () => {
    const child = program(
      `${call}("trap 'echo caught' USR2; echo ready; " +
         "while :; do sleep 0.02; done");`,
    );
    await child.stdin.close();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    assertEquals((await reader.read()).value, "ready\n");
    child.kill("SIGUSR2");
    assertEquals((await reader.read()).value, "caught\n");
    child.kill("SIGTERM");
    assertEquals((await child.status).signal, "SIGTERM");
    await reader.cancel();
  });
}

for (const call of ["await p.exec", "p.execSync"]) {
  const name = call.replace(/.*\./, "");
  linuxTest({
    name: `${name}() passes on that a signal is ignored`,
    fn: async () => {
      const code = `import * as p from "${MOD}";
        ${call}("kill -HUP $$; kill -HUP $PPID; sleep 0.2; echo survived");`;
      const { stdout } = await new Deno.Command("sh", {
        args: [
          "-c",
          'trap "" HUP; exec deno run -A --no-check "$0" "$1"',
          CONFIG,
          `data:text/typescript,${encodeURIComponent(code)}`,
        ],
        stderr: "inherit",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "survived\n");
    },
  });
}

test("daemonize() starts the program anew, in the background", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  const main = `${folder}/main.ts`;
  const log = `${folder}/log`;
  await Deno.writeTextFile(
    main,
    `import { daemonize } from "${MOD}";
     daemonize({ flags: ["--allow-env=SKEIN_DAEMON", "${CONFIG}"], log: "${log}" });
     console.log(Deno.args[0], Deno.cwd === undefined, Deno.stdin.isTerminal());`,
  );
  const { code, stdout } = await new Deno.Command("deno", {
    args: ["run", "-A", "--no-check", CONFIG, main, "spam"],
    stderr: "inherit",
  }).output();
  assertEquals([code, stdout.length], [0, 0]);
  let text = "";
  for (let i = 0; i < 200 && text === ""; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    text = await Deno.readTextFile(log);
  }
  assert(text.startsWith("spam false false"), text);
  await Deno.remove(folder, { recursive: true });
});
