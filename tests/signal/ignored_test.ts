// Signals that are ignored when the program starts.
import { assertEquals } from "@std/assert";
import { linuxTest, signalTest as test } from "../platform.ts";
import { run, runIgnoring } from "./_run.ts";

const IGN = "Symbol(SIG_IGN)";
const DFL = "Symbol(SIG_DFL)";

const pipes: Record<string, string> = {
  "nothing": "",
  "signal": "true\nhandled\n",
  "sigwait": "13\n",
  "abortOn": "",
  "thread": "true\n",
};
for (const [how, lines] of Object.entries(pipes)) {
  test(`SIGPIPE is ignored, and ignored again after: ${how}`, async () => {
    const permissions = how === "thread" ? ["--allow-read"] : [];
    const { stdout, stderr } = await run(["SIGPIPE", how], ...permissions);
    assertEquals(stdout, `${IGN}\n${lines}alive ${IGN}\n`, stderr);
  });
}

test("SIGPIPE ends the process once it has SIG_DFL", async () => {
  const { signal, stdout } = await run(["SIGPIPE", "SIG_DFL"]);
  assertEquals([signal, stdout], ["SIGPIPE", `${IGN}\n${DFL}\n`]);
});

for (const how of ["nothing", "another handler", "onShutdown", "restored"]) {
  linuxTest({
    name: `a signal ignored at the start stays ignored: ${how}`,
    fn: async () => {
      const { signal, stdout, stderr } = await runIgnoring(
        "HUP",
        ["nohup", how],
        "-A",
      );
      const lines = how === "restored" ? "handled\n" : "";
      // And what was not ignored is not.
      assertEquals(
        [signal, stdout],
        ["SIGINT", `${IGN} ${DFL}\n${lines}survived\n`],
        stderr,
      );
    },
  });
}

linuxTest({
  name: "a signal ignored at the start can have SIG_DFL",
  fn: async () => {
    const { signal, stdout } = await runIgnoring(
      "HUP",
      ["nohup", "SIG_DFL"],
      "-A",
    );
    assertEquals([signal, stdout], ["SIGHUP", `${IGN} ${DFL}\n`]);
  },
});
