/**
 * Starting processes so that each has its three streams and nothing else.
 *
 * Deno can give a child a descriptor, but duplicates it for that without
 * close-on-exec. So the child has it a second time, under a number that it does
 * not know of, and so has every child that another thread starts at that
 * moment: a pipe does not end as long as one of them lives.
 *
 * So no descriptor is given away. A shell is started in place of the program;
 * it opens what the program needs, by name, and then becomes the program
 * (`exec "$0" "$@"`: it never parses a word of the program's). The pipes are
 * those that Deno makes itself, which no other child gets. A stage of a pipeline
 * reads the output of its predecessor, which is /proc/<its number>/fd/1 until
 * that shell becomes the program. So:
 *
 *   1. All shells are started. Each opens the output of its predecessor, reports
 *      that, and waits at a gate: it reads a line from its standard input, a pipe
 *      that only this program writes to.
 *   2. When all have reported, this program lets go of the pipes and opens the
 *      gates. The shells set up their other streams and become the programs.
 *
 * If this program or thread dies meanwhile, the gates end and the shells with
 * them. A shell that does not find its program reports this; the others end at
 * their gates, nothing of the user's has run, and the caller starts everything
 * without shells, so that Deno says what is wrong.
 *
 * @module
 */

import { argvOf, isLong, mergedArgvOf, shell } from "./command_line.ts";
import { CAT, granted, kernelPipes, mayRun, takePipes } from "./descriptors.ts";
import {
  exists,
  explain,
  mayRunIn,
  requireFound,
  runsByItself,
} from "./program.ts";
import type { SpawnOptions, Stdio } from "./child_process.ts";
import type { Stage } from "./options.ts";

/** A file that a process opens, or gets as the descriptor. */
export interface FileEnd {
  readonly path: string;
  readonly how: "r" | "w" | "a";
  /** Its descriptor; without one nobody has opened it, since that may block. */
  fd?: number;
}

/**
 * What a stream of a process is: what Deno knows, a file, the pipe that joins it
 * to its neighbour, or (for standard error) the same as standard output.
 */
export type End = Stdio | FileEnd | "joint" | "merge";

/** A process to start. */
export interface Part {
  readonly stage: Pick<
    Stage,
    "cmd" | "cwd" | "env" | "clearEnv" | "uid" | "gid" | "umask"
  >;
  readonly stdin: End;
  readonly stdout: End;
  readonly stderr: End;
  readonly detached?: boolean;
  /** Whether it writes a line before its output, to open the gates behind it. */
  readonly passes?: boolean;
}

/** How a process is started by Deno, and what this program has of it then. */
export interface Job {
  readonly argv: readonly string[];
  readonly options: SpawnOptions;
  /** The streams that this program reads or writes. */
  readonly serves: Readonly<Record<"stdin" | "stdout" | "stderr", boolean>>;
  /** Whether this program makes one stream of its output and its error. */
  readonly joins?: boolean;
}

/** A process that is started as a shell first. */
export interface WrappedJob extends Job {
  /** The program that it becomes, for messages. */
  readonly name: string;
  /** Where it reports that it has found everything. */
  readonly report?: "stdout" | "stderr";
  /** Whether it waits for a line on its standard input. */
  readonly gated: boolean;
  /** Whether it reads the output of its predecessor. */
  readonly joined: boolean;
  /** What it is, if Deno could not start it without a shell. */
  readonly masked?: Part["stage"];
}

const FOUND = "+\n";
const MISSING = "-\n";
/** The line for which a gate opens. */
export const GO = new TextEncoder().encode("\n");

/** Where the shell looks for a program, as exec would; `$0` is its name. */
const FIND = 'find() { case $0 in */*) [ -f "$0" ] && [ -x "$0" ]; return;; ' +
  "esac; IFS=:; set -f; set -- $PATH; while [ $# -gt 0 ]; do " +
  '[ -f "$1/$0" ] && [ -x "$1/$0" ] && return; shift; done; return 1; }; ';

/** The variables that a shell passes on as they are; PWD is seen to. */
const PASSED_ON = /^(?!(?:IFS|OPTIND|PPID)$)[A-Za-z_]\w*$/;

function isFile(end: End): end is FileEnd {
  return typeof end === "object";
}

/** Whether Deno can start it by itself, without giving away a descriptor. */
function isPlain({ stage, stdin, stdout, stderr }: Part): boolean {
  return stage.umask === undefined &&
    [stdin, stdout, stderr].every((end) =>
      end === "piped" || end === "inherit" || end === "null"
    );
}

/**
 * Makes shells of processes, if that is possible and of use.
 *
 * @param parts Processes that are started together.
 * @param known Whether their programs are known to exist, and whether they are
 * to wait at a gate in any case.
 * @returns How they are started, or `undefined`.
 */
export function wrap(
  parts: readonly Part[],
  { found = false, gate = parts.length > 1 } = {},
): WrappedJob[] | undefined {
  if (!gate && parts.every(isPlain) || !mayWrap()) return undefined;
  // Another user may not open the pipes and files of this one.
  if (parts.some(({ stage }) => (stage.uid ?? stage.gid) !== undefined)) {
    return undefined;
  }
  const jobs = parts.map((part) => wrapOne(part, gate, found));
  return jobs.every((job) => job !== undefined) ? jobs : undefined;
}

function mayWrap(): boolean {
  return kernelPipes.enabled && kernelPipes.wrapped && mayRun(shell());
}

/** Stands for the output of the process before. */
const PREVIOUS = "previous";

/**
 * Opens the output of the process before, `$1`, which is gone if that one was
 * killed; then there is nothing to read. Where /proc cannot be used, it fails.
 */
const OPEN_PREVIOUS = '{ command exec 3<"$1" || ' +
  '{ [ -e "${1%/*/*/*}/self/fd/0" ] && exec 3</dev/null; }; } 2>/dev/null';

function wrapOne(
  part: Part,
  gate: boolean,
  found: boolean,
): WrappedJob | undefined {
  const { stage, stdin, stdout, stderr, detached, passes } = part;
  const { cmd, cwd, env, clearEnv, umask } = stage;
  const isString = typeof cmd === "string" && !isLong(cmd);
  const argv = argvOf(cmd);
  if (
    !isString && !(
      mayRunIn(argv[0], stage) && passesOn(stage) &&
      (!argv[0].includes("/") || runsByItself(argv[0]))
    )
  ) return undefined;
  // A number could only be given away; an open file has no other name.
  if ([stdin, stdout, stderr].some((end) => typeof end === "number")) {
    return undefined;
  }
  const reports = gate || !isString && !found;
  const gated = reports && stdin !== "inherit";
  const report = !reports
    ? undefined
    : stdout !== "inherit"
    ? "stdout"
    : stderr !== "inherit" && stderr !== "merge"
    ? "stderr"
    : null;
  if (report === null || gate && !gated) return undefined;
  const captured = report !== undefined &&
    (part[report] === "piped" || part[report] === "joint");
  // What follows the report must not come before it has been read.
  if (captured && !gated) return undefined;

  const args: string[] = [];
  const redirect = (operator: string, end: End): string | undefined => {
    if (end === "null") return `exec ${operator}/dev/null; `;
    const path = isFile(end) ? pathFor(end.path, cwd) : undefined;
    if (path === undefined) return undefined;
    args.push(path);
    return `exec ${operator}"$1"; shift; `;
  };
  let script = "";
  const to = report === "stderr" ? " >&2" : "";
  if (stdin === "joint") {
    args.push(PREVIOUS);
    script += `${OPEN_PREVIOUS} || { echo -${to}; exit 127; }; shift; `;
  }
  if (report !== undefined) {
    script += isString || found
      ? `echo +${to}; `
      : `${FIND}if find; then echo +${to}; else echo -${to}; exit 127; fi; `;
  }
  if (gated) script += "read -r SKEIN_GATE || exit; unset SKEIN_GATE; ";
  if (passes) script += "echo; ";
  if (stdin === "joint") script += "exec <&3 3<&-; ";
  const options: SpawnOptions = {
    cwd,
    env,
    clearEnv,
    detached,
    stdin: gated ? "piped" : stdin as Stdio,
    stdout: "piped",
    stderr: "piped",
  };
  if (stdin === "null" && gated || isFile(stdin)) {
    const line = redirect("<", stdin);
    if (line === undefined) return undefined;
    script += line;
    if (!gated) options.stdin = "null";
  }
  // Standard error first: whoever opens the other ends of named pipes does so
  // in this order.
  for (const name of ["stderr", "stdout"] as const) {
    const end = part[name];
    if (end === "merge") {
      options[name] = "null";
      continue;
    }
    const sign = name === "stderr" ? "2>" : ">";
    if (isFile(end) || end === "null" && report === name) {
      const append = isFile(end) && end.how === "a" ? ">" : "";
      const line = redirect(sign + append, end);
      if (line === undefined) return undefined;
      script += line;
      options[name] = report === name ? "piped" : "null";
    } else {
      options[name] = end === "joint" ? "piped" : end as Stdio;
    }
  }
  if (stderr === "merge") script += "exec 2>&1; ";
  if (umask !== undefined) script += `umask ${umask.toString(8)}; `;
  const serves = {
    stdin: stdin === "piped",
    stdout: stdout === "piped",
    stderr: stderr === "piped",
  };
  let [program, ...rest] = argv;
  if (isString) {
    [program, rest] = [shell(), []];
    if (stderr === "merge" || isFile(stderr)) {
      // A shell that does not like the command says so before it has set up the
      // stream for that. So it is another one.
      script += 'exec "$0" -c "$1"';
      args.push(cmd);
    } else {
      // The shell of the command itself does it. On the same line, so that the
      // numbers of its lines stay.
      script += cmd;
    }
  } else {
    const pwd = pwdOf(stage);
    if (pwd === null) script += "unset PWD; ";
    if (typeof pwd === "string") {
      script += 'PWD="$1"; shift; ';
      args.push(pwd);
    }
    script += 'exec "$0" "$@"';
  }
  return {
    argv: [shell(), "-c", script, program, ...args, ...rest],
    name: argv[0],
    options,
    serves,
    report,
    gated,
    joined: stdin === "joint",
    masked: umask === undefined || isString ? undefined : stage,
  };
}

/**
 * Sends its input to several processes, whose numbers are its arguments. It opens
 * their standard inputs before it reads, so that these have a writer each from the
 * first byte to the last. A process that reads no more, or is gone already, is left
 * out: SIGPIPE is off.
 */
const TEE = `${OPEN_PREVIOUS} || { echo -; exit 127; }; shift; ` +
  `${FIND}if find; then echo +; else echo -; exit 127; fi; ` +
  "read -r SKEIN_GATE || exit; unset SKEIN_GATE; " +
  'exec <&3 3<&-; { command exec >"$1" || exec >/dev/null; } 2>/dev/null; ' +
  'shift; trap "" PIPE; exec "$0" "$@"';

/**
 * A process that sends the output of the one before it to others, which wait at
 * their gates for its first line. Each of them is a shell that reads nothing else
 * until then, so its standard input can be opened by its number.
 *
 * @param readers The numbers of those that get it.
 * @param detached Whether it leads a group.
 */
export function teeJob(
  readers: readonly number[],
  detached: boolean,
): WrappedJob {
  const inputs = readers.map((pid) => `${kernelPipes.proc}/${pid}/fd/0`);
  return {
    argv: [shell(), "-c", TEE, "tee", PREVIOUS, ...inputs],
    name: "tee",
    options: {
      cwd: "/",
      detached,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    },
    serves: { stdin: false, stdout: false, stderr: false },
    report: "stdout",
    gated: true,
    joined: true,
  };
}

/** How the shell names a file that this program names so. */
function pathFor(path: string, cwd: unknown): string | undefined {
  if (path.startsWith("/") || cwd === undefined) return path;
  try {
    return granted({ name: "read", path: "." })
      ? `${Deno.cwd()}/${path}`
      : undefined;
  } catch {
    return undefined; // The working directory is gone.
  }
}

/**
 * Sees that none of the programs is missing which a shell has to start, when one
 * of all was not found.
 *
 * @throws {Deno.errors.NotFound} If one is.
 */
export function requireMasked(jobs: readonly WrappedJob[]): void {
  for (const { masked, name } of jobs) {
    if (masked === undefined || exists(masked)) continue;
    const error = new Deno.errors.NotFound("entity not found");
    throw explain(error, name, masked);
  }
}

/** Whether a shell passes on the environment as it is. */
function passesOn({ env, clearEnv }: Part["stage"]): boolean {
  const names = env === undefined ? [] : Object.keys(env);
  // The shell would look in places of its own.
  if (clearEnv && !names.includes("PATH")) return false;
  if (!clearEnv && granted({ name: "env" })) {
    names.push(...Object.keys(Deno.env.toObject()));
  }
  return names.every((name) => PASSED_ON.test(name));
}

/**
 * The value for the variable PWD, which a shell would set to its own folder:
 * `null` for none, `undefined` if it is not known.
 */
function pwdOf({ env, clearEnv }: Part["stage"]): string | null | undefined {
  if (env?.PWD !== undefined) return env.PWD;
  if (clearEnv) return null;
  if (!granted({ name: "env", variable: "PWD" })) return undefined;
  return Deno.env.get("PWD") ?? null;
}

/** The arguments of a job, with the number of the process before it in them. */
export function argvAfter(
  { argv, joined }: WrappedJob,
  previous: Deno.ChildProcess | undefined,
): readonly string[] {
  if (!joined) return argv;
  const after = [...argv];
  // The first of the shell's own arguments.
  after[4] = `${kernelPipes.proc}/${previous!.pid}/fd/1`;
  return after;
}

/**
 * Waits until all shells have reported, and opens their gates.
 *
 * @param jobs The jobs.
 * @param children Their processes.
 * @param stopped Whether they are to end instead.
 * @param before What is waited for before the gates are opened; it may say that
 * they are not to be.
 * @param held Whether the first gate is left to whoever writes to that process.
 * @returns Whether all programs were found. If not, the shells have ended, or
 * are about to.
 */
export async function openGates(
  jobs: readonly WrappedJob[],
  children: readonly Deno.ChildProcess[],
  stopped?: () => boolean,
  before?: () => Promise<boolean | void>,
  held = false,
): Promise<boolean> {
  const decoder = new TextDecoder();
  const readers = jobs.map(({ report }, i) =>
    report && children[i][report].getReader()
  );
  const reports = await Promise.all(readers.map(async (reader) => {
    // None comes from a shell that was killed, or does not like its script.
    const value = (await reader?.read())?.value;
    return value === undefined ? FOUND : decoder.decode(value);
  }));
  const found = !reports.includes(MISSING) && await before?.() !== false;
  await Promise.all(jobs.map(async ({ report, serves }, i) => {
    const reader = readers[i];
    if (reader === undefined) return;
    if (found && serves[report!]) reader.releaseLock();
    else await reader.cancel();
  }));
  jobs.forEach(({ gated, serves }, i) => {
    if (!gated) return;
    const writer = children[i].stdin.getWriter();
    const ignore = () => {}; // That it was killed is known by its status.
    if (found && !stopped?.() && !(held && i === 0)) {
      writer.write(GO).catch(ignore);
    }
    if (found && serves.stdin) writer.releaseLock();
    else writer.close().catch(ignore);
  });
  if (!found) {
    await Promise.all(jobs.map(async ({ report, options }, i) => {
      for (const name of ["stdout", "stderr"] as const) {
        if (options[name] !== "piped" || name === report) continue;
        await children[i][name].cancel();
      }
    }));
  }
  return found;
}

/**
 * Starts of processes that get descriptors where they need them, for when no
 * shells can be made of them. Each has what it gets a second time.
 *
 * @param parts The processes, whose files are open.
 * @param files What is opened goes in here.
 * @returns The processes, and cat after them if there is a pipe to it.
 */
export function numbered(
  parts: readonly Part[],
  files: { add(...descriptors: number[]): void },
): Job[] {
  const { stage, stdout, stderr } = parts[parts.length - 1];
  const tail = stderr === "merge" && stdout === "piped" &&
    typeof stage.cmd !== "string" && mayRun(CAT);
  const pipes = takePipes(parts.length - 1 + (tail ? 1 : 0));
  for (const { reader, writer } of pipes ?? []) files.add(reader, writer);
  const jobs = parts.map((part, i): Job => {
    const stdin = part.stdin === "joint"
      ? pipes?.[i - 1].reader ?? "piped"
      : numberOf(part.stdin);
    const stdout = pipes?.[i]?.writer ??
      (part.stdout === "joint" ? "piped" : numberOf(part.stdout));
    return numberedOne(part, stdin, stdout);
  });
  if (tail && pipes !== undefined) {
    const options = {
      cwd: "/",
      stdin: pipes[parts.length - 1].reader,
      stdout: "piped",
      stderr: "null",
      detached: parts[0].detached,
    } as const;
    jobs.push(plainJobOf([CAT], options));
  }
  return jobs;
}

function numberedOne(
  { stage, stderr, detached }: Part,
  stdin: Stdio,
  stdout: Stdio,
): Job {
  const { cmd, cwd, env, clearEnv, uid, gid, umask } = stage;
  const options = { cwd, env, clearEnv, uid, gid, stdin, stdout, detached };
  if (umask !== undefined && typeof cmd !== "string") {
    if (!mayRunIn(cmd[0], stage)) {
      throw new Deno.errors.NotCapable(
        `Cannot run a command with a umask: its program needs --allow-run, received "${
          cmd[0]
        }"`,
      );
    }
    requireFound(stage);
  }
  const jobOf = (argv: string[], options: SpawnOptions, joins?: boolean) =>
    plainJobOf(
      umask === undefined ? argv : maskedArgvOf(argv, umask),
      options,
      joins,
    );
  if (stderr !== "merge") {
    return jobOf(argvOf(cmd), { ...options, stderr: numberOf(stderr) });
  }
  if (stdout !== "piped") {
    const stderr = stdout === "inherit" ? 1 : stdout;
    return jobOf(argvOf(cmd), { ...options, stderr });
  }
  return typeof cmd === "string"
    ? jobOf(mergedArgvOf(cmd), { ...options, stderr: "null" })
    : jobOf(argvOf(cmd), { ...options, stderr: "piped" }, true);
}

/** Arguments for the shell, which sets the mask and becomes the program. */
function maskedArgvOf(argv: readonly string[], umask: number): string[] {
  return [shell(), "-c", `umask ${umask.toString(8)}; exec "$0" "$@"`, ...argv];
}

function plainJobOf(
  argv: readonly string[],
  options: SpawnOptions,
  joins?: boolean,
): Job {
  const { stdin, stdout, stderr } = options;
  const serves = {
    stdin: stdin === "piped",
    stdout: stdout === "piped",
    stderr: stderr === "piped",
  };
  return { argv, options, serves, joins };
}

function numberOf(end: End): Stdio {
  return typeof end === "object" ? end.fd! : end as Stdio;
}
