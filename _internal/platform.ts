/**
 * What is different from platform to platform, as functions of the platform, which
 * take it as their last parameter, so that each can be tried on any; and the
 * signals of this one, by number and by name.
 *
 * @module
 */

import { builtIn, HERE, isAbsolute } from "./built_in.ts";
import { shown } from "./check.ts";

/** Whether a name of a program is a path, which is not looked for in PATH. */
export function isPath(name: string, platform = HERE): boolean {
  return platform === "windows" ? /[\\/:]/.test(name) : name.includes("/");
}

/** The last part of a path. */
export function baseName(path: string, platform = HERE): string {
  return path.split(platform === "windows" ? /[\\/]/ : "/").at(-1)!;
}

/**
 * The folder for temporary files: what the environment says, where that may be
 * read, or what the platform is used to.
 *
 * @param env Reads a variable, if that is allowed.
 */
export function temporaryFolder(
  env: (name: string) => string | undefined,
  platform = HERE,
): string {
  const names = platform === "windows" ? ["TMP", "TEMP"] : ["TMPDIR"];
  for (const name of names) {
    const folder = env(name);
    // The current directory may change.
    if (folder === undefined || !isAbsolute(folder, platform)) continue;
    return folder.replace(/(?<=[^:\\/])[\\/]+$/, "");
  }
  if (platform === "windows") return "C:\\Windows\\Temp";
  return platform === "android" ? "/data/local/tmp" : "/tmp";
}

/**
 * The shell: by its path, so that PATH cannot change it. Where it has none that is
 * known, the one that PATH finds is taken.
 *
 * @param exists Whether there is such a file; `undefined` if that is not known.
 */
export function shellOf(
  exists: (path: string) => boolean | undefined,
  platform = HERE,
): string {
  if (platform === "windows") return "sh";
  const path = platform === "android" ? "/system/bin/sh" : "/bin/sh";
  return exists(path) === false ? "sh" : path;
}

/** What a message says besides, when a program was not found. */
export function shellHint(file: string, platform = HERE): string {
  return platform === "windows" && file === "sh"
    ? " (a string needs sh in PATH, as Git for Windows brings it; an array needs none)"
    : "";
}

/**
 * The signals that a program passes on to the one that stands in for it. SIGUSR1
 * is missing: in Deno it starts the inspector. On Windows there is nothing to pass
 * on: the console sends its signals to both programs.
 */
export function passedOn(platform = HERE): readonly Deno.Signal[] {
  return platform === "windows" ? ["SIGINT", "SIGBREAK"] : [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGTERM",
    "SIGUSR2",
    "SIGALRM",
    "SIGCONT",
    "SIGWINCH",
  ];
}

/** What a terminal sends to all programs on it. */
export function sentByTerminal(platform = HERE): readonly Deno.Signal[] {
  return platform === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGQUIT", "SIGWINCH"];
}

/**
 * The signal that does to a child what this one asks for. On Windows a process can
 * only be ended, and Deno takes some names for that.
 */
export function killSignalOf(
  signal: Deno.Signal,
  platform = HERE,
): Deno.Signal {
  if (platform !== "windows") return signal;
  const ends = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGKILL", "SIGABRT"];
  return ends.includes(signal) ? signal : "SIGKILL";
}

/** The signals by which a terminal, or an administrator, asks a program to end. */
export function askingToEnd(platform = HERE): readonly Deno.Signal[] {
  return platform === "windows" ? ["SIGINT", "SIGBREAK"] : [
    "SIGINT",
    "SIGTERM",
  ];
}

/** Whether Deno lets a program listen to a signal. */
export function canListenTo(name: string, platform = HERE): boolean {
  if (platform === "windows") {
    return [
      "SIGINT",
      "SIGBREAK",
      "SIGTERM",
      "SIGQUIT",
      "SIGHUP",
      "SIGWINCH",
    ].includes(name);
  }
  // The kernel allows it for the last three.
  return !["SIGKILL", "SIGSTOP", "SIGILL", "SIGFPE", "SIGSEGV"].includes(name);
}

/** The first 15 signals are the same on all systems that come from Unix. */
const UNIX = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

const LINUX = {
  ...UNIX,
  SIGBUS: 7,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
  SIGUNUSED: 31,
};

const BSD = {
  ...UNIX,
  SIGEMT: 7,
  SIGBUS: 10,
  SIGSYS: 12,
  SIGURG: 16,
  SIGSTOP: 17,
  SIGTSTP: 18,
  SIGCONT: 19,
  SIGCHLD: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGIO: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGINFO: 29,
  SIGUSR1: 30,
  SIGUSR2: 31,
};

const WINDOWS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
  SIGBREAK: 21,
  SIGABRT: 22,
  SIGWINCH: 28,
};

/**
 * The numbers of a platform's signals, by name, as far as they are known without
 * asking: loading `node:os`, which knows them all, takes some milliseconds.
 */
export function signalNumbers(
  platform = HERE,
): Readonly<Record<string, number>> | undefined {
  if (platform === "linux" || platform === "android") return LINUX;
  if (platform === "darwin" || platform === "freebsd") return BSD;
  return platform === "windows" ? WINDOWS : undefined;
}

/** A signal, by its number on this platform or by its name. */
export type Signum = number | Deno.Signal;

/** The numbers of this platform's signals, by name. */
export const NUMBERS: Readonly<Record<string, number>> = Object.freeze({
  ...signalNumbers() ?? builtIn("node:os").constants.signals,
});

const numbers = new Map(Object.entries(NUMBERS));

/** The first of a number's names is its usual one: SIGABRT, not SIGIOT. */
const names = new Map(
  [...numbers].reverse().map(([name, number]) => [number, name as Deno.Signal]),
);

/**
 * The number of a signal.
 *
 * @param signum Its number or name.
 * @param what What is being done with it, for messages: `raise a signal`.
 * @returns The number.
 * @throws {TypeError} If it is neither a number nor a string.
 * @throws {RangeError} If this platform has no such signal.
 */
export function numberOf(signum: unknown, what: string): number {
  if (typeof signum === "string") {
    const number = numbers.get(signum);
    if (number !== undefined) return number;
  } else if (typeof signum !== "number") {
    throw new TypeError(
      `Cannot ${what}: a signal is a number or a name, received ${
        shown(signum)
      }`,
    );
  } else if (names.has(signum)) {
    return signum;
  }
  throw new RangeError(
    `Cannot ${what}: ${HERE} has no such signal, received ${
      JSON.stringify(signum)
    }`,
  );
}

/** The usual name of a signal that {@linkcode numberOf} has returned. */
export function nameOf(number: number): Deno.Signal {
  return names.get(number)!;
}
