import { assertEquals } from "@std/assert";

Deno.test("SharedList, SharedMap and SharedArray survive a full heap", async () => {
  const program = new URL("./shared_full_program.ts", import.meta.url);
  const { stdout, stderr, code } = await new Deno.Command("deno", {
    args: [
      "run",
      "--allow-env=SKEIN_HEAP_MIB,SKEIN_SEED,SKEIN_STRESS",
      program.href,
    ],
    env: { SKEIN_HEAP_MIB: "2" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(
    [decoder.decode(stdout), code],
    ["done\n", 0],
    decoder.decode(stderr),
  );
});
