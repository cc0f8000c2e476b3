import { assertEquals } from "@std/assert";
import { Thread } from "../../threading/mod.ts";
import { leaveWaiting, useAnew, ways } from "./damage_fixture.ts";

for (const name of Object.keys(ways)) {
  Deno.test(`${name}() that a thread leaves waiting is nothing to the next thread in its worker`, async () => {
    for (let i = 0; i < 2; i++) {
      const first = new Thread({ target: leaveWaiting, args: [name] });
      first.start();
      const id = await first.join();
      const second = new Thread({ target: useAnew, args: [name] });
      second.start();
      assertEquals(await second.join(), { id, outcome: "fine" });
    }
  });
}
