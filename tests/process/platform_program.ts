// Runs commands in every way that needs something of the platform, and prints
// what came of it. What is missing is said by the arguments.
import { pipeline, popen2Sync, Template } from "../../process/mod.ts";
import { kernelPipes } from "../../process/_command/descriptors.ts";

if (Deno.args.includes("no-proc")) kernelPipes.proc = "/no/proc";
if (Deno.args.includes("no-shells")) kernelPipes.wrapped = false;

async function show(name: string, work: () => unknown): Promise<void> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    result = `${(error as Error).name}: ${(error as Error).message}`;
  }
  console.log(`${name}: ${JSON.stringify(result)}`);
}

const text = "b\na\n";
await show("pipeline", () => pipeline(["cat"], ["sort"]).from(text).text());
await show("sync", () => pipeline(["cat"], ["sort"]).from(text).textSync());
await show(
  "merged",
  () => pipeline(["cat"], { cmd: ["cat"], stderr: "merge" }).from(text).text(),
);
await show("tee", async () => {
  const { branches } = await pipeline(["cat"]).from(text)
    .tee(pipeline(["sort"]), pipeline(["cat"])).run();
  return branches.map(({ stdout }) => stdout);
});
await show("popen2Sync", () => {
  using child = popen2Sync(["cat"]);
  child.stdin.write("spam");
  child.stdin.close();
  return child.stdout.read();
});
await show("template", async () => {
  const template = new Template();
  template.append('cp "$IN" "$OUT"', "ff");
  await using reader = template.open(Deno.args[0], "r");
  const output = await reader.stdout.read();
  return [output, template.copySync(Deno.args[0], "/dev/null")];
});
if (Deno.args.includes("tree")) {
  await show("tree", async () => {
    const killed = {
      killTree: "attached",
      timeout: 300,
      check: false,
    } as const;
    const sleeping = pipeline("sleep 60 & echo $!; wait").with(killed);
    const error = await sleeping.run().then(() => undefined, (error) => error);
    const [pid] = error.result.stdout.split("\n");
    try {
      Deno.kill(Number(pid), 0);
      // It may be a zombie, which nobody has waited for.
      return Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ")
        ? "ended"
        : "lives";
    } catch {
      return "ended";
    }
  });
}
