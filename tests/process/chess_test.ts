import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { Chess, IllegalMoveError } from "../../examples/popen2_example_2.ts";

function installed(): boolean {
  try {
    new Deno.Command("/usr/games/gnuchess", { args: ["--version"] })
      .outputSync();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const ready = installed();

test({
  name: "popen2() plays chess" +
    (ready ? "" : " (skipped: gnuchess is not installed)"),
  ignore: !ready,
  fn: async () => {
    const g = new Chess();
    assertMatch(await g.move("a2a4"), /^[a-h][78][a-h][56]$/);
    assertMatch(await g.move("b2b3"), /^[a-h][1-8][a-h][1-8]$/);
    await assertRejects(() => g.move("e2e7"), IllegalMoveError, "e2e7");
    await g.quit();
  },
});

test("popen2() throws NotFound for an engine that is missing", () => {
  let name = "";
  try {
    new Chess(["no-such-engine"]);
  } catch (error) {
    name = (error as Error).name;
  }
  assertEquals(name, "NotFound");
});
