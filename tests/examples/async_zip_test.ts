import { assertEquals } from "@std/assert";
import { runExample } from "./run_example.ts";

Deno.test("async-zip zips a file that can be read back", async () => {
  const lines = await runExample("async-zip");
  // The main program and the thread run at the same time until the join.
  assertEquals(lines.slice(0, 2).sort(), [
    "Finished background zip of: mydata.txt",
    "The main program continues to run in foreground.",
  ]);
  assertEquals(lines.slice(2), [
    "Main program waited until background was done.",
    "The archive holds mydata.txt, 4000000 bytes, unchanged.",
  ]);
});
