import { assertEquals, assertMatch } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

Deno.test("trace names the lock that is held too long, and who held it", async () => {
  const [title, ...lines] = await runExample("trace");
  assertEquals(title, "The most contended locks:");
  const [[lock, waits], ...rest] = parse(
    lines.slice(0, 1),
    /^(\w+ \d+): waited for .* in (\d+) waits?$/,
  );
  assertEquals([lock, Number(waits) > 5, rest], ["Lock 1", true, []]);
  assertMatch(lines[1], /^ {4}held by writer-\d \(/);
  assertMatch(lines[2], /^ {4}waited for by /);
  assertEquals(lines.length, 3);
});
