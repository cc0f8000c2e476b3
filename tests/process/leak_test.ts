import { assertEquals } from "@std/assert";
import {
  pipeline,
  popen2,
  popen2Sync,
  run,
  runSync,
} from "../../process/mod.ts";

const all = ["read", "write", "run"].every((name) =>
  Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state ===
    "granted"
);

/** What a fresh program with all permissions prints; /proc wants them. */
async function inProgram(code: string): Promise<string> {
  const mod = new URL("../../process/mod.ts", import.meta.url).href;
  const { stdout, stderr, success } = await new Deno.Command("deno", {
    args: ["eval", "--no-check", `import * as p from "${mod}";${code}`],
  }).output();
  const decoder = new TextDecoder();
  assertEquals(success, true, decoder.decode(stderr));
  return decoder.decode(stdout).trim();
}

Deno.test("run() and its relatives leave nothing behind in 1000 runs", async () => {
  const result = await inProgram(`
    const none = () => {};
    async function round() {
      await p.run(["true"]);
      await p.run("exit 3").catch(none);
      await p.run(["no-such-program"]).catch(none);
      await p.run(["sleep", "9"], { timeout: 1 }).catch(none);
      await p.run(["yes"], { maxBuffer: 10 }).catch(none);
      await p.pipeline(["echo", "a"], ["cat"], ["cat"]).text();
      await p.pipeline(["cat"], ["no-such-program"]).from("a").run()
        .catch(none);
      await p.pipeline(["cat"], ["cat"]).from({ path: "/etc/passwd" })
        .to({ path: "/dev/null" }).status();
      for await (const _ of p.pipeline(["yes"], ["cat"]).lines()) break;
      const { stdin, stdout, process } = p.popen2(["cat"]);
      await stdin.close();
      await stdout.read();
      await process.wait();
      p.runSync(["cat"], { input: "a" });
      using child = p.popen2Sync(["true"]);
      child.process.waitSync();
    }
    const count = (path) => [...Deno.readDirSync(path)].length;
    const folders = () => [...Deno.readDirSync("/tmp")]
      .filter(({ name }) => name.startsWith("skein-")).map(({ name }) => name);
    async function zombies() {
      const { stdout } = await p.run(["ps", "-o", "stat=", "--ppid",
        String(Deno.pid)]);
      return stdout.split("\\n").filter((s) => s.startsWith("Z")).length;
    }
    for (let i = 0; i < 5; i++) await round();
    const before = count("/proc/self/fd");
    for (let i = 0; i < 80; i++) await round();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Pipes that are kept for later come and go by the batch.
    const grown = count("/proc/self/fd") - before;
    console.log(grown <= 36, await zombies());
    Deno.exit(0);
  `);
  assertEquals(result, "true 0");
});

Deno.test({
  name: "run() leaves no file in /tmp" +
    (all ? "" : " (with the granted permissions)"),
  fn: async () => {
    const names = () =>
      [...Deno.readDirSync("/tmp")].map(({ name }) => name)
        .filter((name) => name.startsWith(`skein-`) && name.length < 30);
    const before = new Set(names());
    await run(["cat"], { input: "a" });
    await pipeline(["echo", "a"], ["cat"]).text();
    runSync(["cat"], { input: "a" });
    popen2Sync(["true"])[Symbol.dispose]();
    await popen2(["true"]).process.wait();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const left = names().filter((name) => !before.has(name));
    // Others may be at work on this machine; what is old is nobody's.
    assertEquals(left.length <= 2, true, left.join());
  },
});
