import { assert, assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

Deno.test("deadlock is told to whoever closes it, with a drawing", async () => {
  const lines = await runExample("deadlock");
  assertEquals(lines.at(-1), "meals: 3");
  // Whoever tries again may close a circle once more.
  const circles = (lines.length - 1) / 5;
  assert(circles >= 1 && Number.isInteger(circles), `${lines}`);
  const [told, first, ...drawing] = lines.slice(0, 5);
  parse([told], /^(\w+) is told:$/);
  assertEquals(
    first,
    "Cannot acquire an RLock: this would never end, since these threads wait for one another",
  );
  const threads = parse(
    drawing,
    /^ {4}(\w+) holds RLock \d and waits for RLock \d$/,
  );
  assertEquals(threads.flat().sort(), ["Hegel", "Kant", "Plato"]);
});
