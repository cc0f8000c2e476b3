import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SimpleQueue } from "../../queue/mod.ts";
import { Thread, ThreadingError } from "../../threading/mod.ts";
import { whole } from "./half_import_fixture.ts";
import { half } from "./half_module_fixture.ts";
import { getSyncTwice, getTwice } from "./half_use_fixture.ts";

const message = "this module fails behind its mark";

/** The error of a thread that cannot load its module. */
async function failureOf(thread: Thread): Promise<string> {
  thread.start();
  const error = await assertRejects(
    () => thread.join({ timeout: 20_000 }),
    ThreadingError,
    message,
  );
  return error.message;
}

Deno.test("No thread runs a function of a module that failed behind its mark", async () => {
  for (let i = 0; i < 3; i++) {
    const told = await failureOf(new Thread({ target: half }));
    assertStringIncludes(told, "half_module_fixture.ts cannot be loaded");
  }
});

Deno.test("No thread runs a function of a module that failed for the thread before, which imported it", async () => {
  for (const target of [whole, half]) {
    const told = await failureOf(new Thread<unknown>({ target }));
    const url = target === whole ? "half_import" : "half_module";
    assertStringIncludes(told, `${url}_fixture.ts cannot be loaded`);
  }
});

for (const target of [getTwice, getSyncTwice]) {
  Deno.test(`${target.name}: an item of a module that failed behind its mark is refused each time`, async () => {
    const queue = new SimpleQueue<() => unknown>();
    queue.putSync(half);
    queue.putSync(half);
    const thread = new Thread({ target, args: [queue] });
    thread.start();
    const seen = await thread.join({ timeout: 20_000 });
    assertEquals(seen.length, 2);
    for (const text of seen) assertStringIncludes(text, "Error");
  });
}
