// Shows what commands write, and checks that it is captured too.
import { pipeline, run, runSync } from "../../process/mod.ts";

function check(...texts: string[]): void {
  for (const text of texts) {
    if (text !== "out\n" && text !== "err\n") throw new Error(text);
  }
}

const options = { stdout: "tee", stderr: "tee" } as const;
for (
  const cmd of ["echo out; echo err >&2", [
    "sh",
    "-c",
    "echo out; echo err >&2",
  ]]
) {
  const first = await run(cmd, options);
  check(first.stdout, first.stderr);
  const second = runSync(cmd, options);
  check(second.stdout, second.stderr);
}
const shown = pipeline("echo a", ["cat"]).to("tee");
const texts = [await shown.text(), shown.textSync()];
for await (const line of shown.lines()) texts.push(line);
const both = pipeline("echo a; echo b >&2").with({ stderr: "tee" }).to("tee");
texts.push((await both.run()).stdout);
if (texts.join() !== "a\n,a\n,a,a\n") throw new Error(texts.join());

// An open file is given to the program itself here.
const path = await Deno.makeTempFile();
using file = await Deno.open(path, { write: true });
const wrong = ["sh", "-c", "echo err >&2"];
await run(wrong, { stderr: file });
runSync(wrong, { stderr: file });
if (await Deno.readTextFile(path) !== "err\nerr\n") throw new Error(path);
await Deno.remove(path);
