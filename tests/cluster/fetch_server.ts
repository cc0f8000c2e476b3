// Fetches nats-server into .cache/, from Debian's unstable suite: deno task
// cluster:server. The suites of the machine have older ones, which ignore
// silently what `cluster` asks them for. Nothing is installed: apt works in a
// state of its own, with the mirror and the keys that the machine uses.
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../../.cache/", import.meta.url));
const SERVER = `${CACHE}nats-server`;
const PACKAGE = "nats-server";
const LIMIT = 180_000;

/** Where this machine gets Debian's packages, and by which keys. */
interface Source {
  mirror: string;
  options: string;
}

/** The files in which apt has its sources. */
async function* sourceFiles(): AsyncGenerator<[string, string]> {
  const folder = "/etc/apt/sources.list.d";
  const paths = ["/etc/apt/sources.list"];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      paths.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const path of paths) {
    if (!/\.(list|sources)$/.test(path)) continue;
    try {
      yield [path, await Deno.readTextFile(path)];
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** A mirror of Debian itself, which has the suite `unstable`, too. */
const MIRROR = /^https?:\/\/\S*\/debian\/?$/;

async function findSource(): Promise<Source | undefined> {
  for await (const [path, text] of sourceFiles()) {
    if (path.endsWith(".list")) {
      for (const line of text.split("\n")) {
        const match = /^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s/.exec(line);
        if (match === null || !MIRROR.test(match[2])) continue;
        const signed = /signed-by=\S+/.exec(match[1] ?? "");
        return { mirror: match[2], options: signed ? `[${signed[0]}] ` : "" };
      }
      continue;
    }
    for (const stanza of text.split(/\n\s*\n/)) {
      const uris = /^URIs:\s*(.*)$/im.exec(stanza)?.[1].trim().split(/\s+/);
      const mirror = uris?.find((uri) => MIRROR.test(uri));
      if (mirror === undefined) continue;
      const key = /^Signed-By:\s*(\/\S+)$/im.exec(stanza)?.[1];
      return { mirror, options: key ? `[signed-by=${key}] ` : "" };
    }
  }
  return undefined;
}

async function run(command: string, args: string[], cwd: string) {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(LIMIT),
  }).output();
  if (success) return;
  const text = new TextDecoder().decode(stderr).trim();
  throw new Error(
    `${command} failed: ${text.split("\n").slice(-3).join("; ")}`,
  );
}

/** The version of a server, or `undefined` if it does not run. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(path, { args: ["-v"] })
      .output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

async function fetchServer(): Promise<void> {
  const source = await findSource();
  if (source === undefined) {
    throw new Error("apt has no source that is a mirror of Debian");
  }
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["state/lists/partial", "cache/archives/partial"]) {
      await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    }
    await Deno.writeTextFile(
      `${folder}/sources.list`,
      `deb ${source.options}${source.mirror} unstable main\n`,
    );
    const options = [
      `Dir::Etc::SourceList=${folder}/sources.list`,
      "Dir::Etc::SourceParts=-",
      `Dir::State=${folder}/state`,
      `Dir::Cache=${folder}/cache`,
      "APT::Sandbox::User=",
      "Acquire::Languages=none",
      "Acquire::Retries=2",
      "Acquire::http::Timeout=30",
    ].flatMap((option) => ["-o", option]);
    await run("apt-get", ["-qq", ...options, "update"], folder);
    await run("apt-get", ["-qq", ...options, "download", PACKAGE], folder);
    const archive = [...Deno.readDirSync(folder)]
      .find(({ name }) => name.endsWith(".deb"))!.name;
    await run("dpkg-deb", ["-x", archive, "root"], folder);
    await Deno.mkdir(CACHE, { recursive: true });
    // Renamed when it is whole: somebody may be starting it.
    const whole = `${SERVER}.${Deno.pid}`;
    await Deno.copyFile(`${folder}/root/usr/sbin/nats-server`, whole);
    await Deno.rename(whole, SERVER);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    if (await versionOf(SERVER) === undefined) await fetchServer();
    console.log(await versionOf(SERVER), "in", SERVER);
  } catch (error) {
    const { message } = error as Error;
    console.error(`nats-server cannot be had here: ${message}`);
    Deno.exit(1);
  }
}
