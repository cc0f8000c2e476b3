// As much of Deno as the tests of threading, queue and pool need, for Node.
import { Buffer } from "node:buffer";
import process from "node:process";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { constants, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { isMainThread } from "node:worker_threads";

/** The tests that a file has made. */
export const made = [];

/** What a test throws that needs something that only Deno has. */
export class OnlyDeno extends Error {
  name = "OnlyDeno";
}

class NotFound extends Error {
  name = "NotFound";
}
class NotCapable extends Error {
  name = "NotCapable";
}
class AlreadyExists extends Error {
  name = "AlreadyExists";
}

function test(first, second) {
  const options = typeof first === "string" ? {} : first;
  const fn = [second, first.fn, first].find((one) => typeof one === "function");
  const name = typeof first === "string" ? first : first.name;
  made.push({ name, fn, ignore: options.ignore === true });
}
test.ignore = (name) => made.push({ name, ignore: true });

/** What follows `node`, so that a program runs as the tests do. */
export const nodeArgs = [
  "--experimental-transform-types",
  "--disable-warning=ExperimentalWarning",
  `--import=${new URL("loader.mjs", import.meta.url).href}`,
];

/** The arguments of `deno` as those of `node`. */
function translated(args) {
  const [command, ...rest] = args;
  if (command === "eval") {
    const code = rest.find((arg) => !arg.startsWith("-"));
    const face = `import { Deno } from ${JSON.stringify(import.meta.url)};`;
    return [...nodeArgs, "--input-type=module", "--eval", face + code];
  }
  if (command !== "run") throw new OnlyDeno(`deno ${command}`);
  const at = rest.findIndex((arg) => !arg.startsWith("-"));
  for (const flag of rest.slice(0, at)) {
    if (
      !/^(-A|--no-check|--no-prompt|--quiet|-q|--allow-\w+.*|--config=.*)$/
        .test(flag)
    ) {
      throw new OnlyDeno(flag);
    }
  }
  const [program, ...given] = rest.slice(at);
  const path = program.startsWith("file:") ? fileURLToPath(program) : program;
  return [...nodeArgs, path, ...given];
}

class Command {
  #args;
  #options;
  constructor(command, options = {}) {
    if (command !== "deno") throw new OnlyDeno(`Command ${command}`);
    this.#args = translated(options.args ?? []);
    this.#options = options;
  }
  output() {
    const { env, signal, cwd } = this.#options;
    const child = spawn(process.execPath, this.#args, {
      env: { ...process.env, ...env },
      cwd,
      signal,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "pipe"],
    });
    const parts = { stdout: [], stderr: [] };
    child.stdout.on("data", (part) => parts.stdout.push(part));
    child.stderr.on("data", (part) => parts.stderr.push(part));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) =>
        resolve({
          code: code ?? 128 + constants.signals[signal],
          signal,
          success: code === 0,
          stdout: new Uint8Array(Buffer.concat(parts.stdout)),
          stderr: new Uint8Array(Buffer.concat(parts.stderr)),
        }));
    });
  }
}

// A worker of Node does not get the arguments of the program.
if (isMainThread) {
  process.env.SKEIN_ARGS = JSON.stringify(process.argv.slice(2));
}

const known = {
  test,
  Command,
  errors: { NotFound, NotCapable, AlreadyExists },
  args: JSON.parse(process.env.SKEIN_ARGS),
  pid: process.pid,
  build: { os: process.platform, arch: process.arch, standalone: false },
  get mainModule() {
    return new URL(`file://${process.argv[1]}`).href;
  },
  cwd: () => process.cwd(),
  exit: (code) => process.exit(code),
  kill: (pid, signal) => process.kill(pid, signal),
  env: {
    get: (name) => process.env[name],
    set: (name, value) => process.env[name] = value,
    delete: (name) => delete process.env[name],
    has: (name) => name in process.env,
    toObject: () => ({ ...process.env }),
  },
  inspect: (value, options = {}) => inspect(value, options),
  customInspect: inspect.custom,
  memoryUsage: () => process.memoryUsage(),
  addSignalListener: (name, listener) => process.on(name, listener),
  removeSignalListener: (name, listener) => process.off(name, listener),
  openSync: (path, { read, write, append, create, truncate } = {}) => {
    const flags = append
      ? "a"
      : truncate
      ? "w"
      : write && !read
      ? "r+"
      : write
      ? "r+"
      : "r";
    if (create && !fs.existsSync(path)) fs.writeFileSync(path, "");
    const file = fs.openSync(path, flags);
    return {
      writeSync: (bytes) => fs.writeSync(file, bytes),
      readSync: (bytes) => fs.readSync(file, bytes) || null,
      close: () => fs.closeSync(file),
      [Symbol.dispose]: () => fs.closeSync(file),
    };
  },
  unrefTimer: (timer) => timer.unref(),
  stdout: { writeSync: (bytes) => fs.writeSync(1, bytes) },
  stderr: { writeSync: (bytes) => fs.writeSync(2, bytes) },
  makeTempDirSync: ({ dir = tmpdir() } = {}) => fs.mkdtempSync(`${dir}/skein-`),
  makeTempDir: async (options) => await known.makeTempDirSync(options),
  makeTempFileSync: ({ dir = tmpdir(), suffix = "" } = {}) => {
    const path = `${fs.mkdtempSync(`${dir}/skein-`)}/file${suffix}`;
    fs.writeFileSync(path, "");
    return path;
  },
  makeTempFile: async (options) => await known.makeTempFileSync(options),
  removeSync: (path, options) => fs.rmSync(path, options),
  remove: async (path, options) => await fs.rmSync(path, options),
  writeTextFileSync: (path, text) => fs.writeFileSync(path, text),
  writeTextFile: async (path, text) => await fs.writeFileSync(path, text),
  readTextFileSync: (path) => fs.readFileSync(path, "utf8"),
  readTextFile: async (path) => await fs.readFileSync(path, "utf8"),
  mkdirSync: (path, options) => fs.mkdirSync(path, options),
  statSync: (path) => {
    const stat = fs.statSync(path);
    return {
      isFile: stat.isFile(),
      isDirectory: stat.isDirectory(),
      size: stat.size,
    };
  },
  readDirSync: (path) =>
    fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isFile: entry.isFile(),
      isDirectory: entry.isDirectory(),
    })),
};

// The events of the global object that a test listens to.
const events = new Map([
  ["error", ["uncaughtException", (error) => ({ error })]],
  ["unhandledrejection", ["unhandledRejection", (reason) => ({ reason })]],
  ["unload", ["exit", () => ({})]],
]);
globalThis.addEventListener ??= (type, listener) => {
  const [name, made] = events.get(type) ?? [];
  if (name === undefined) throw new OnlyDeno(`the event ${type}`);
  process.on(
    name,
    (value) => listener({ ...made(value), preventDefault() {} }),
  );
};
globalThis.removeEventListener ??= () => {};

export const Deno = new Proxy(known, {
  get(target, name) {
    if (name in target) return target[name];
    throw new OnlyDeno(`Deno.${String(name)}`);
  },
});
