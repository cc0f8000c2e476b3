/**
 * Runs the tests of threading, queue and pool on Node: on the one that is
 * installed, if it is new enough, else on one from the npm registry.
 *
 * @module
 */

import { build } from "../../build.ts";

/** From here on Node has web locks, by which the end of a worker is noticed. */
const MIN = [24, 5];
const FETCHED = "24";
const folder = new URL("../../.cache/node/", import.meta.url);

async function run(command: string, args: string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(command, {
    args,
    cwd: folder,
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`${command} ended with status ${code}`);
  return new TextDecoder().decode(stdout);
}

async function isNewEnough(node: string): Promise<boolean> {
  try {
    const [major, minor] = (await run(node, ["--version"])).slice(1)
      .split(".").map(Number);
    return major > MIN[0] || (major === MIN[0] && minor >= MIN[1]);
  } catch {
    return false;
  }
}

/** The path of a Node that can be used. */
async function findNode(): Promise<string> {
  if (await isNewEnough("node")) return "node";
  const { os, arch } = Deno.build;
  const name = `node-${os === "windows" ? "win" : os}-${
    arch === "aarch64" ? "arm64" : "x64"
  }`;
  const path = new URL(`node_modules/${name}/bin/node`, folder).pathname;
  if (!await isNewEnough(path)) {
    await run("npm", ["install", "--no-save", `${name}@${FETCHED}`]);
  }
  return path;
}

await Deno.mkdir(folder, { recursive: true });
await Deno.writeTextFile(
  new URL("package.json", folder),
  JSON.stringify({
    private: true,
    dependencies: { "deno-std": "1.4.0" },
  }),
);
await run("npm", ["install", "--no-audit", "--no-fund"]);
await build(new URL("package/", folder));
const node = await findNode();
const main = new URL("main.mjs", import.meta.url).pathname;
const { code } = await new Deno.Command(node, {
  args: ["--disable-warning=ExperimentalWarning", main, ...Deno.args],
  stdin: "null",
}).spawn().status;
Deno.exit(code);
