import { assertEquals } from "@std/assert";
import { runExample } from "./run_example.ts";

Deno.test("select takes what comes first from the sensors, and all of it", async () => {
  assertEquals(await runExample("select"), [
    "temperatures: 100, on average 20.5",
    "humidities: 100, on average 40.5",
    "the display was told of some: true",
  ]);
});
