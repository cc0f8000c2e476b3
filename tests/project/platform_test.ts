import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  askingToEnd,
  baseName,
  canListenTo,
  isPath,
  killSignalOf,
  NUMBERS,
  passedOn,
  shellHint,
  shellOf,
  signalNumbers,
  temporaryFolder,
} from "../../_internal/platform.ts";
import { builtIn, isAbsolute, modulePath } from "../../_internal/built_in.ts";
import { endingOf } from "../../process/_command/child_process.ts";
import { makeFifos } from "../../process/_command/descriptors.ts";

Deno.test("platform: the signals of this one have the numbers that node:os has", () => {
  const { signals } = builtIn("node:os").constants;
  for (const [name, number] of Object.entries(NUMBERS)) {
    const known = (signals as Record<string, number>)[name];
    if (known !== undefined) assertEquals(number, known, name);
  }
  for (const name of Object.keys(signals)) assert(name in NUMBERS, name);
});

Deno.test("platform: signals have the numbers of their platform", () => {
  const of = (name: string) =>
    (["linux", "android", "darwin", "freebsd", "windows"] as const)
      .map((platform) => signalNumbers(platform)?.[name]);
  assertEquals(of("SIGINT"), [2, 2, 2, 2, 2]);
  assertEquals(of("SIGUSR1"), [10, 10, 30, 30, undefined]);
  assertEquals(of("SIGCHLD"), [17, 17, 20, 20, undefined]);
  assertEquals(of("SIGPWR"), [30, 30, undefined, undefined, undefined]);
  assertEquals(of("SIGBREAK"), [
    undefined,
    undefined,
    undefined,
    undefined,
    21,
  ]);
  assertEquals(of("SIGABRT"), [6, 6, 6, 6, 22]);
  assertEquals(signalNumbers("solaris"), undefined);
});

Deno.test("platform: a path is absolute, or a path at all", () => {
  for (const path of ["/a", "/"]) assert(isAbsolute(path, "linux"));
  for (const path of ["a", "./a", "C:\\a"]) assert(!isAbsolute(path, "darwin"));
  for (const path of ["C:\\a", "c:/a", "\\\\host\\a", "/a"]) {
    assert(isAbsolute(path, "windows"), path);
  }
  for (const path of ["a", "..\\a", "C:a"]) {
    assert(!isAbsolute(path, "windows"), path);
  }
  assert(isPath("bin/a", "linux") && !isPath("bin\\a", "linux"));
  for (const path of ["bin\\a", "bin/a", "C:a"]) {
    assert(isPath(path, "windows"));
  }
  assertEquals(baseName("/usr/bin/a\\b", "linux"), "a\\b");
  assertEquals(baseName("C:\\bin/a.exe", "windows"), "a.exe");
});

Deno.test("platform: the module of a file: URL has the path of its platform", () => {
  const url = "file:///C:/a%20b/c.ts";
  assertEquals(modulePath(url, "windows"), "C:\\a b\\c.ts");
  assertEquals(modulePath(url, "linux"), "/C:/a b/c.ts");
});

Deno.test("platform: the folder for temporary files is the environment's", () => {
  const folder = (platform: typeof Deno.build.os, env = {}) =>
    temporaryFolder((name) => (env as Record<string, string>)[name], platform);
  assertEquals(folder("linux"), "/tmp");
  assertEquals(folder("darwin", { TMPDIR: "/var/f/T/" }), "/var/f/T");
  assertEquals(folder("linux", { TMPDIR: "/" }), "/");
  assertEquals(folder("linux", { TMPDIR: "here" }), "/tmp");
  assertEquals(folder("linux", { TMPDIR: "" }), "/tmp");
  assertEquals(folder("android"), "/data/local/tmp");
  const env = { TMPDIR: "/a", TEMP: "D:\\t\\" };
  assertEquals(folder("windows", env), "D:\\t");
  assertEquals(folder("windows", { TMP: "D:\\" }), "D:\\");
  assertEquals(folder("windows"), "C:\\Windows\\Temp");
});

Deno.test("platform: the shell is at its path, or else in PATH", () => {
  assertEquals(shellOf(() => true, "linux"), "/bin/sh");
  assertEquals(shellOf(() => undefined, "darwin"), "/bin/sh");
  assertEquals(shellOf(() => false, "linux"), "sh");
  assertEquals(shellOf(() => true, "android"), "/system/bin/sh");
  assertEquals(shellOf(() => true, "windows"), "sh");
  assertEquals(shellHint("sh", "linux"), "");
  assertEquals(shellHint("cat", "windows"), "");
  assert(shellHint("sh", "windows").includes("an array needs none"));
});

Deno.test("platform: signals that Windows cannot send become one that it can", () => {
  assertEquals(killSignalOf("SIGHUP", "linux"), "SIGHUP");
  assertEquals(killSignalOf("SIGHUP", "windows"), "SIGKILL");
  assertEquals(killSignalOf("SIGTERM", "windows"), "SIGTERM");
  assertEquals(endingOf({ killSignal: "SIGHUP" }, "windows").signal, "SIGKILL");
  for (const killTree of [true, "attached"] as const) {
    assertThrows(
      () => endingOf({ killTree }, "windows"),
      Deno.errors.NotSupported,
      "Windows has no groups of processes",
    );
  }
});

Deno.test("platform: no signal is listened to that Deno refuses", () => {
  const known = (name: string) => canListenTo(name, "windows");
  assert(passedOn("windows").every(known));
  assert(askingToEnd("windows").every(known));
  assert(!known("SIGUSR1") && !known("SIGKILL") && known("SIGHUP"));
  assert(passedOn("darwin").every((name) => canListenTo(name, "darwin")));
  assert(!canListenTo("SIGSTOP", "darwin") && canListenTo("SIGUSR1", "darwin"));
});

Deno.test("platform: Windows has no named pipes", () => {
  assertThrows(
    () => makeFifos(1, "windows"),
    Deno.errors.NotSupported,
    "Windows has none among its files",
  );
});
