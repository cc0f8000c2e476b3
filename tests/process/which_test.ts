import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { run, which, whichSync } from "../../process/mod.ts";
import { windowsPlaces } from "../../process/_command/program.ts";
import { runDeno } from "../threading/run_program.ts";

test("which() finds what a shell would run", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  const [first, second, third] = ["a", "b b", "c"].map((name) =>
    `${folder}/${name}`
  );
  for (const place of [first, second, third]) await Deno.mkdir(place);
  // No program, a folder, a broken link; then two programs.
  await Deno.writeTextFile(`${first}/prog`, "#!/bin/sh\n");
  await Deno.mkdir(`${first}/other`);
  await Deno.writeTextFile(`${second}/prog`, "#!/bin/sh\n", { mode: 0o755 });
  await Deno.writeTextFile(`${third}/prog`, "#!/bin/sh\n", { mode: 0o755 });
  await Deno.writeTextFile(`${third}/other`, "#!/bin/sh\n", { mode: 0o711 });
  await run(["sh", "-c", 'ln -s none "$0"', `${second}/other`]);

  const path = [`${folder}/none`, `${first}/prog`, first, second, third].join(
    ":",
  );
  for (
    const name of ["prog", "other", "none", `${third}/prog`]
  ) {
    const { stdout } = await run(["/bin/sh", "-c", 'command -v "$0"', name], {
      env: { PATH: path },
      check: false,
    });
    const expected = stdout.trimEnd() || undefined;
    assertEquals(await which(name, { path }), expected, name);
    assertEquals(whichSync(name, { path }), expected, name);
  }
  // dash would say so of it, and not run it.
  assertEquals(await which(`${first}/prog`), undefined);
  assertEquals(
    whichSync("prog", { path: `${second}/:${third}` }),
    `${second}/prog`,
  );
  await Deno.remove(folder, { recursive: true });
});

test("which() looks in PATH, and says what it may not", async () => {
  const code = `
    import { which, whichSync } from "./process/mod.ts";
    Deno.env.set("PATH", "/none:/bin");
    console.log(await which("sh"), whichSync("sh"), await which("skein-none"));
  `;
  const args = ["eval", "--no-check", "--ext=ts", code];
  const { stdout } = await runDeno(args);
  assertEquals(stdout, "/bin/sh /bin/sh undefined\n");
  // The tests may read neither PATH nor /bin.
  const { NotCapable } = Deno.errors;
  await assertRejects(() => which("sh"), NotCapable);
  assertThrows(() => whichSync("sh"), NotCapable);
  await assertRejects(() => which("/bin/sh"), NotCapable);
  assertThrows(() => whichSync("sh", { path: "/bin" }), NotCapable);
});

test("which() on Windows tries the endings of programs", () => {
  const folders = () => 'C:\\bin\\;;"D:\\a;b";E:/c/';
  const pathext = ".EXE;;.Cmd";
  assertEquals(windowsPlaces("git", folders, pathext), [
    "C:\\bin\\git.EXE",
    "C:\\bin\\git.Cmd",
    "D:\\a;b\\git.EXE",
    "D:\\a;b\\git.Cmd",
    "E:/c\\git.EXE",
    "E:/c\\git.Cmd",
  ]);
  // One that ends so is tried as it is first; another ending is none.
  const one = () => "C:\\bin";
  assertEquals(windowsPlaces("git.exe", one, pathext), [
    "C:\\bin\\git.exe",
    "C:\\bin\\git.exe.EXE",
    "C:\\bin\\git.exe.Cmd",
  ]);
  assertEquals(windowsPlaces("node.v20", one, ".EXE"), [
    "C:\\bin\\node.v20.EXE",
  ]);
  // A path is only looked at, with its endings.
  const never = () => {
    throw new Error("PATH is not read");
  };
  for (const path of ["C:\\a\\git", "./git", "C:git"]) {
    assertEquals(windowsPlaces(path, never, ".EXE"), [`${path}.EXE`]);
  }
  assertEquals(windowsPlaces("C:\\git.EXE", never, ".EXE")[0], "C:\\git.EXE");
  assertEquals(windowsPlaces("git", () => "", pathext), []);
  assertEquals(windowsPlaces("git", one).length, 4);
});
