import { assertEquals } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import { runDeno } from "../threading/run_program.ts";
import { checkTrace, readTrace } from "../threading/trace_format.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

const PROGRAM = `
  import { pause, raiseSignal, signal } from "${new URL(
  "../../signal/mod.ts",
  import.meta.url,
)}";
  import { startTrace } from "${new URL(
  "../../threading/mod.ts",
  import.meta.url,
)}";
  using _ = startTrace({ path: Deno.env.get("SKEIN_TEST_PATH") });
  signal("SIGUSR2", () => {});
  setTimeout(() => raiseSignal("SIGUSR2"), 10);
  await pause();
`;

test("startTrace() shows handlers of signals", async () => {
  const { code, stderr } = await runDeno(["eval", PROGRAM], {
    env: { SKEIN_TEST_PATH: path },
  });
  assertEquals(code, 0, stderr);
  const { X } = checkTrace(readTrace(path));
  const handled = X.filter(({ cat }) => cat === "signal");
  assertEquals(handled.map(({ name }) => name), ["handle SIGUSR2"]);
});
