import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  getOutput,
  getOutputSync,
  getStatus,
  getStatusOutput,
  getStatusOutputSync,
  getStatusSync,
} from "../../process/mod.ts";

test("getStatusOutput() gives status and both streams", async () => {
  const cmd = "echo out; echo err >&2; exit 3";
  const expected = { status: 3, output: "out\nerr" };
  assertEquals(await getStatusOutput(cmd), expected);
  assertEquals(getStatusOutputSync(cmd), expected);
});

test("getStatusOutput() strips one newline", async () => {
  assertEquals(await getOutput("printf 'a\\n\\n'"), "a\n");
  assertEquals(await getOutput("printf a"), "a");
  assertEquals(getOutputSync(["printf", "a\\n"]), "a");
});

test("getStatusOutput() of what cannot be run", async () => {
  const { status, output } = await getStatusOutput("no-such-program");
  assertEquals(status, 127);
  assertStringIncludes(output, "no-such-program");
  const cmd = ["no-such-program"];
  await assertRejects(() => getStatusOutput(cmd), Deno.errors.NotFound);
  assertThrows(() => getStatusOutputSync(cmd), Deno.errors.NotFound);
  assertStringIncludes(await getOutput("if"), "yntax error");
});

test("getStatusOutput() of a killed command", async () => {
  assertEquals((await getStatusOutput("kill -9 $$")).status, -9);
  assertEquals(getStatusOutputSync("kill -9 $$").status, -9);
});

test("getStatusOutput() takes commands of several lines", async () => {
  const cmd = "echo a # comment\nfor i in b c; do echo $i; done >&2 &&\necho d";
  assertEquals(await getOutput(cmd), "a\nb\nc\nd");
});

test("getStatusOutput() with a timeout", async () => {
  const error = await assertRejects(
    () => getStatusOutput(["sleep", "60"], { timeout: 50 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
});

test("getStatus() is what ls says", async () => {
  assert((await getStatus("/tmp")).startsWith("d"));
  assert(getStatusSync("/tmp").endsWith("/tmp"));
  assert((await getStatus("-no such")).includes("-no such"));
});
