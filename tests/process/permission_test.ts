import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { unixTest as test } from "../platform.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MOD = new URL("../../process/mod.ts", import.meta.url).href;

const CONFIG = `--config=${
  new URL("../../deno.json", import.meta.url).pathname
}`;

/** What a program prints that has only these permissions. */
async function withOnly(permissions: string[], code: string): Promise<string> {
  const path = await Deno.makeTempFile({ dir: "/tmp", suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      path,
      `import * as p from "${MOD}";
       try { console.log(await (async () => { ${code} })()); }
       catch (error) { console.log(error.name + ": " + error.message); }`,
    );
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: ["run", "--no-prompt", "--no-check", CONFIG, ...permissions, path],
    }).output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout).trim() || decoder.decode(stderr);
  } finally {
    await Deno.remove(path);
  }
}

test("pipeline() needs only the permission to run its programs", async () => {
  const code = `return (await p.pipeline(["sort"], ["uniq"])
    .from("b\\na\\nb\\n").text()).replaceAll("\\n", " ");`;
  assertEquals(await withOnly(["--allow-run=sort,uniq"], code), "a b");
  const refused = await withOnly(["--allow-run=sort"], code);
  assertStringIncludes(refused, "NotCapable");
  assertStringIncludes(refused, "uniq");
});

test("run() and runSync() need only the permission to run the program", async () => {
  const code = `return (await p.run(["echo", "a"])).stdout.trim() +
    p.runSync(["echo", "b"]).stdout.trim() + p.systemSync(["true"]);`;
  assertEquals(await withOnly(["--allow-run=echo,true"], code), "ab0");
  const shell = await withOnly(["--allow-run=echo"], `await p.run("echo a");`);
  assertStringIncludes(shell, "NotCapable");
});

test("getStatusOutput() of an array needs no shell", async () => {
  const code = `return (await p.getOutput(["sort", "-q"])).length > 0;`;
  assertEquals(await withOnly(["--allow-run=sort"], code), "true");
});

test("pipeline() hands an open file over as it is", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  // What the stage has as its streams, and where the file stands afterwards.
  const code = `Deno.writeTextFileSync("${folder}/in", "spam eggs");
    const input = Deno.openSync("${folder}/in");
    const other = Deno.openSync("${folder}/in");
    input.seekSync(5, Deno.SeekMode.Start);
    const output = Deno.openSync("${folder}/out", { write: true, create: true });
    const see = "readlink /proc/self/fd/0 /proc/self/fd/1; cat";
    const both = p.pipeline(see).from(input).to(output);
    await both.run();
    input.seekSync(0, Deno.SeekMode.Start);
    both.runSync();
    input.seekSync(0, Deno.SeekMode.Start);
    const first = await p.pipeline(["head", "-c", "4"]).from(input).text();
    return [Deno.readTextFileSync("${folder}/out"), first,
      input.seekSync(0, Deno.SeekMode.Current),
      other.seekSync(0, Deno.SeekMode.Current)].join("|");`;
  try {
    const places = `${folder}/in\n${folder}/out\n`;
    assertEquals(
      await withOnly(["-A"], code),
      `${places}eggs${places}spam eggs|spam|4|0`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("popen2() needs only the permission to run the program", async () => {
  const code = `const { stdout, stdin } = p.popen2(["sort"]);
    stdin.write("b\\na\\n"); stdin.close();
    return (await stdout.readline()).trim();`;
  assertEquals(await withOnly(["--allow-run=sort"], code), "a");
});

test("runSync() with input says which permission it misses", async () => {
  const code = `p.runSync(["cat"], { input: "a" });`;
  const message = await withOnly(["--allow-run=cat"], code);
  assertStringIncludes(message, "NotCapable");
  assertStringIncludes(message, "read");
});

test("run() says which file cannot be executed", async () => {
  const file = new URL(import.meta.url).pathname;
  const code = `const seen = [];
    for (const path of ["/tmp", "${file}"]) {
      for (const form of [p.run, async (cmd) => p.runSync(cmd)]) {
        try { await form([path]); } catch (error) {
          seen.push(error.name === "PermissionDenied" &&
            error.message.includes('"' + path + '"'));
        }
      }
    }
    return seen.join();`;
  const seen = await withOnly(["--allow-run"], code);
  assertEquals(seen, "true,true,true,true");
});

test("run() with killTree asks for its permission first", async () => {
  const code = `await p.run(["true"], { killTree: true });`;
  const message = await withOnly(["--allow-run=true"], code);
  assertStringIncludes(message, "NotCapable");
  assertStringIncludes(message, "killTree");
});

for (const form of ["timeout: 1500", "signal: controller.signal"]) {
  const what = form.replace(/:.*/, "");
  test(`run() with killTree and ${what} ends the children of children`, async () => {
    const path = await Deno.makeTempFile({ dir: "/tmp" });
    const code = `const script = "trap '' TERM; (trap '' TERM; " +
        "sleep 61 & echo $! > ${path}; wait) & wait; wait; sleep 62";
      const controller = new AbortController();
      const poll = setInterval(() => {
        if (Deno.readTextFileSync("${path}") === "") return;
        clearInterval(poll);
        controller.abort();
      }, 20);
      const options = { killTree: true, killGrace: 100, ${form} };
      return await p.run(script, options).catch((error) => error.name);`;
    const permissions = ["--allow-run", "--allow-read=/tmp"];
    assertEquals(
      await withOnly(permissions, code),
      what === "timeout" ? "TimeoutError" : "AbortError",
    );
    const pid = (await Deno.readTextFile(path)).trim();
    assertMatch(pid, /^\d+$/);
    // A killed orphan is gone, or a zombie until init looks at it.
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "stat=", "-p", pid],
    }).output();
    assertMatch(new TextDecoder().decode(stdout), /^(Z.*\s*)?$/);
    await Deno.remove(path);
  });
}

for (const rights of [["-A"], ["--allow-run", "--allow-read=/tmp"]]) {
  test(`run() with killTree does not wait for the dead (${rights[0]})`, async () => {
    const path = await Deno.makeTempFile({ dir: "/tmp" });
    // One in the group is dead, and the one that should ask how it ended is in
    // a group of its own and never does.
    const script = `sh -c 'sh -c "exit 0" & echo $$ > ${path}; ` +
      `exec setsid sleep 60' </dev/null >/dev/null 2>&1 & sleep 61`;
    const code = `
      const options = { killTree: true, killGrace: 20000, timeout: 500 };
      const start = performance.now();
      const error = await p.run(${JSON.stringify(script)}, options)
        .catch((error) => error.name);
      return error + " " + (performance.now() - start < 10000);`;
    try {
      assertEquals(await withOnly(rights, code), "TimeoutError true");
    } finally {
      await new Deno.Command("sh", {
        args: ["-c", `kill -9 $(cat ${path})`],
      }).output();
      await Deno.remove(path);
    }
  });
}

test("run() and its relatives say that an interpreter is missing", async () => {
  const code = (call: string) => `
    const path = Deno.makeTempFileSync({ dir: "/tmp" });
    Deno.writeTextFileSync(path, "#!/no/such/interpreter -x");
    Deno.chmodSync(path, 0o755);
    try { await ${call}; } finally { Deno.removeSync(path); }`;
  const rights = ["--allow-run", "--allow-write=/tmp", "--allow-read"];
  for (
    const call of [
      "p.run([path])",
      "p.runSync([path])",
      "p.runSync([path], { timeout: 60000 })",
      "p.pipeline(['cat'], [path]).run()",
      "p.popen2([path])",
      "p.execSync([path])",
      "p.spawnSync(p.P_NOWAIT, [path])",
    ]
  ) {
    const message = await withOnly(rights, code(call));
    assertMatch(message, /^NotFound: Cannot run "\/tmp\/\w+": its interpreter/);
    assertStringIncludes(message, '"/no/such/interpreter -x"');
  }
  const blind = await withOnly(rights.slice(0, 2), code("p.run([path])"));
  assertStringIncludes(blind, "no such program, or no interpreter for it");
});

test("run() and its relatives say that the current directory is gone", async () => {
  const code = (call: string) => `
    const path = Deno.makeTempDirSync({ dir: "/tmp" });
    Deno.chdir(path);
    Deno.removeSync(path);
    return await ${call};`;
  for (
    const call of [
      "p.run('true')",
      "p.runSync('true')",
      "p.runSync('true', { timeout: 60000 })",
      "p.pipeline(['cat'], ['cat']).from('').run()",
      "p.popen2(['cat'])",
      "p.popen2Sync(['cat'])",
      "p.popen4(['cat'])",
      "p.exec(['cat'])",
      "p.spawnSync(p.P_NOWAIT, ['cat'])",
    ]
  ) {
    const message = await withOnly(["-A"], code(call));
    assertMatch(message, /^NotFound: Cannot .* current directory.* gone/);
  }
  const elsewhere = await withOnly(
    ["-A"],
    code(`p.pipeline(['pwd'], ['cat']).with({ cwd: '/' }).text()`),
  );
  assertEquals(elsewhere, "/");
});

test("pipeline() runs no other program by the name of one that is allowed", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    const path = `${folder}/echo`;
    await Deno.writeTextFile(path, "#!/bin/sh\necho other\n");
    await Deno.chmod(path, 0o755);
    const code = (options: string) =>
      `return await p.pipeline(["echo", "a"], ["cat"]).with(${options}).text();`;
    const permissions = ["--allow-run=/bin/sh,echo,cat"];
    assertEquals(await withOnly(permissions, code("{}")), "a");
    const refused = await withOnly(
      permissions,
      code(`{ env: { PATH: "${folder}:/usr/bin:/bin" } }`),
    );
    assertStringIncludes(refused, "NotCapable");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("pipeline() says that an interpreter is missing, also where it may not look", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    const path = `${folder}/script`;
    await Deno.writeTextFile(path, "#!/no/such/program\n");
    await Deno.chmod(path, 0o755);
    const said = await withOnly(
      ["--allow-run", "--allow-read=/tmp"],
      `return await p.pipeline(["${path}"], ["cat"]).text();`,
    );
    assertStringIncludes(said, "NotFound");
    assertStringIncludes(said, "interpreter");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What needs which permissions, and gives this. */
const NEEDS: [name: string, permissions: string[], code: string][] = [
  ["$", ["--allow-run=/bin/sh"], "(await p.$`printf %s ${'a b'}`).stdout"],
  [
    "all of a string",
    ["--allow-run=/bin/sh"],
    `(await p.run("printf a; printf ' b' >&2", { all: true })).all`,
  ],
  [
    "all of an array",
    ["--allow-run=/bin/sh,printf"],
    `(await p.run(["printf", "a b"], { all: true })).all`,
  ],
  [
    "all of an array without a shell",
    ["--allow-run=printf"],
    `(await p.run(["printf", "a b"], { all: true })).all`,
  ],
  [
    "tee",
    ["--allow-run=printf"],
    `(await p.run(["printf", "a b"], { stdout: "tee" })).stdout.slice(3)`,
  ],
  [
    "readable() without a shell and mkfifo",
    ["--allow-run=printf,cat"],
    `await new Response(p.pipeline(["printf", "a b"], ["cat"]).readable()).text()`,
  ],
  [
    "readable()",
    ["--allow-run=/bin/sh,printf,cat"],
    `await new Response(p.pipeline(["printf", "a b"], ["cat"]).readable()).text()`,
  ],
  [
    "transform() without a shell and mkfifo",
    ["--allow-run=cat"],
    `await new Response(new Response("a b").body
      .pipeThrough(p.pipeline(["cat"], ["cat"]).transform())).text()`,
  ],
  [
    "start() without a shell and mkfifo",
    ["--allow-run=cat,sleep"],
    `await (async () => {
      const sleeping = p.pipeline(["sleep", "60"], ["cat"]).start();
      sleeping.kill();
      await sleeping.result().catch(() => {});
      const running = p.pipeline(["cat"], ["cat"]).start();
      await running.stdin.write("a b");
      await running.stdin.close();
      return (await running.result()).stdout;
    })()`,
  ],
  [
    "startSync() and readableSync()",
    ["--allow-run=printf", `--allow-read=${ROOT}`],
    `(() => {
      const [bytes] = [...p.pipeline(["printf", "a "]).readableSync()];
      const { stdout } = p.pipeline(["printf", "b"]).startSync().resultSync();
      return new TextDecoder().decode(bytes) + stdout;
    })()`,
  ],
  [
    "Pipeline.tee() without a shell and mkfifo",
    ["--allow-run=printf,cat"],
    `(await p.pipeline(["printf", "a b"]).tee(p.pipeline(["cat"])).run())
      .branches[0].stdout`,
  ],
  [
    "verbose",
    ["--allow-run=printf"],
    `(await p.run(["printf", "a b"], { verbose: true, env: { A: "b" } })).stdout`,
  ],
  [
    "a stream for standard error",
    ["--allow-run=printf"],
    `(await p.run(["printf", "a b"], { stderr: new WritableStream() })).stdout`,
  ],
  [
    "a umask",
    ["--allow-run=/bin/sh,printf"],
    `(await p.run(["printf", "a b"], { umask: 0o077 })).stdout`,
  ],
  [
    "which() with a path",
    ["--allow-read=/bin/sh"],
    `await p.which("sh", { path: "/bin" }) && "a b"`,
  ],
  [
    "which()",
    ["--allow-read", "--allow-env=PATH"],
    `p.whichSync("sh") && "a b"`,
  ],
];

for (const [name, permissions, code] of NEEDS) {
  test(`process: ${name} needs only ${permissions.join(" ")}`, async () => {
    assertEquals(await withOnly(permissions, `return ${code};`), "a b");
  });
}

test("run() with a umask needs a shell, and says so", async () => {
  const code = `return await p.run(["printf", "a"], { umask: 0 });`;
  assertStringIncludes(
    await withOnly(["--allow-run=printf"], code),
    "NotCapable",
  );
});
