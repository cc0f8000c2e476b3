/**
 * What the system says of processes, and those that one has started, and these,
 * and so on.
 *
 * @module
 */

import { mayReadProc } from "./descriptors.ts";

/** A process, as the system shows it. */
export interface SystemProcess {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** What it does; `Z` and `X` are those that have ended. */
  readonly state: string;
  /** When it started: a number may come back, but not with the same time. */
  readonly started: string;
}

/**
 * The processes of this machine. A zombie, which was not reaped yet, is one.
 *
 * @returns The processes; `undefined` if this program cannot know.
 */
export async function listProcesses(): Promise<SystemProcess[] | undefined> {
  return mayReadProc() ? listProc() : await listByPs();
}

/** Whether a process has not ended. */
export function isAlive({ state }: SystemProcess): boolean {
  return !/^[ZX]/.test(state);
}

/** As Linux tells them. */
function listProc(): SystemProcess[] | undefined {
  try {
    return Array.from(Deno.readDirSync("/proc"), ({ name }) => name)
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readStat);
  } catch {
    return undefined;
  }
}

function readStat(pid: string): SystemProcess[] {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // `pid (name) state parent group ...`; there may be anything in the name.
    const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parent, group] = words;
    return [{
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      state,
      started: words[19],
    }];
  } catch {
    return []; // It is gone by now.
  }
}

/** As a program tells them, for which there must be the permission. */
async function listByPs(): Promise<SystemProcess[] | undefined> {
  try {
    const names = ["pid", "ppid", "pgid", "stat", "lstart"];
    const { success, stdout } = await new Deno.Command("ps", {
      args: ["-A", ...names.flatMap((name) => ["-o", `${name}=`])],
      cwd: "/",
      stdin: "null",
      stderr: "null",
    }).output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).trimEnd().split("\n")
      .map((line): SystemProcess => {
        const [pid, parent, group, state, ...started] = line.trim()
          .split(/\s+/);
        return {
          pid: Number(pid),
          parent: Number(parent),
          group: Number(group),
          state,
          started: started.join(" "),
        };
      });
  } catch {
    return undefined; // There is no ps.
  }
}

/**
 * A child of this program and what it has started. Who belongs to it is seen by
 * following the parents; one whose parent has ended before is not found.
 */
export class ProcessTree {
  readonly #root: number;
  readonly #toRoot: (signal: Deno.Signal) => boolean;
  /** Those that were found, by their numbers, with their starts. */
  readonly #found = new Map<number, string>();

  /**
   * Takes a child.
   *
   * @param root Its number.
   * @param toRoot Sends it a signal, and says whether it runs: when it has ended,
   * its number may soon be another one's.
   */
  constructor(root: number, toRoot: (signal: Deno.Signal) => boolean) {
    this.#root = root;
    this.#toRoot = toRoot;
  }

  /**
   * Sends all of them a signal. They are stopped first, so that none starts
   * another one while they are looked for.
   *
   * @returns Whether one of them runs.
   * @throws {Deno.errors.PermissionDenied} If the child may not be signalled.
   */
  async signal(signal: Deno.Signal): Promise<boolean> {
    // At once: all stages of a pipeline are stopped before one of them ends.
    const runs = this.#toRoot("SIGSTOP");
    const stopped = new Set<number>();
    for (let before = -1; stopped.size > before;) {
      before = stopped.size;
      for (const { pid } of await this.#look()) {
        if (pid !== this.#root && !stopped.has(pid)) send(pid, "SIGSTOP");
        stopped.add(pid);
      }
    }
    stopped.delete(this.#root);
    const toAll = (signal: Deno.Signal) => {
      this.#toRoot(signal);
      for (const pid of stopped) send(pid, signal);
    };
    toAll(signal);
    if (signal !== "SIGKILL") toAll("SIGCONT");
    return runs || stopped.size > 0;
  }

  /** Whether one of those that were found lives, but for the child. */
  async lives(): Promise<boolean> {
    return (await this.#look()).some(({ pid }) => pid !== this.#root);
  }

  /** Those that live. What is found once is known, whoever its parent is then. */
  async #look(): Promise<SystemProcess[]> {
    const alive = (await listProcesses() ?? []).filter(isAlive);
    const tree = alive.filter(({ pid, parent, started }) =>
      this.#found.has(pid)
        ? this.#found.get(pid) === started
        : pid === this.#root && parent === Deno.pid
    );
    // It grows while it is read.
    for (const { pid } of tree) {
      tree.push(
        ...alive.filter((one) => one.parent === pid && !tree.includes(one)),
      );
    }
    for (const { pid, started } of tree) this.#found.set(pid, started);
    return tree;
  }
}

/** Sends a signal to a process, which may have ended or be somebody else's. */
function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (error instanceof NotFound || error instanceof PermissionDenied) return;
    throw error;
  }
}
