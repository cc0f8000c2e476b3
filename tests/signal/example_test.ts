import { assertMatch } from "@std/assert";
import { signalTest as test } from "../platform.ts";

test("signal-example-1 prints what the chapter shows", async () => {
  const url = new URL("../../examples/signal_example_1.ts", import.meta.url);
  const { stdout } = await new Deno.Command("deno", {
    args: ["run", "--no-prompt", url.pathname],
    env: { NO_COLOR: "1" },
  }).output();
  // The time is from the sleep on, and the alarm's from a little before.
  assertMatch(
    new TextDecoder().decode(stdout),
    /^got signal 14\nslept for (1\.9|2\.)\d+ seconds\n$/,
  );
});
