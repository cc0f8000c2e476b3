// Ending processes that should not go on.
import { delay } from "@std/async/delay";
import { durationOf } from "../_internal/options.ts";
import { mayReadProc } from "./_file_descriptor.ts";
import { nameOf, numberOf } from "../_internal/signum.ts";
import type { CommandSyncOptions } from "./_command/options.ts";
import { endOf } from "./_command/result.ts";

/** How processes are ended. */
export interface Ending {
  readonly signal: Deno.Signal;
  readonly grace: number;
  readonly tree: boolean;
}

const WHAT = "run a command";
const STEP = 10;
const LONGEST_PAUSE = 320;

/**
 * How processes are ended by these options.
 *
 * @throws {RangeError} If this platform has no such killSignal.
 * @throws {Deno.errors.NotCapable} If children of children shall be ended and
 * there is no permission for it.
 */
export function endingOf(options: CommandSyncOptions): Ending {
  const tree = options.killTree === true;
  // Asked for now: it would be missing when there is no other way left.
  if (
    tree && Deno.permissions.querySync({ name: "run" }).state !== "granted"
  ) {
    throw new Deno.errors.NotCapable(
      "Cannot run a command with killTree: signals to process groups need --allow-run without a list",
    );
  }
  return {
    signal: nameOf(numberOf(options.killSignal ?? "SIGTERM", WHAT)),
    grace: durationOf(options.killGrace ?? 1000, WHAT, "killGrace"),
    tree,
  };
}

/**
 * Ends a process: first asks by the signal, then kills.
 *
 * @param child The process; with `tree` it leads a group.
 * @param ending How.
 * @returns A promise for the end of the process (and of its group).
 */
export async function end(
  child: Deno.ChildProcess,
  { signal, grace, tree }: Ending,
): Promise<void> {
  const send = tree
    ? (signal: Deno.Signal) => killGroup(child.pid, signal)
    : (signal: Deno.Signal) => sendSignal(child, signal);
  const ended = endOf(child);
  let left = ended.then(() => false);
  if (!send(signal)) return void await left;
  // The group lives on while one of it does, whether its leader does or not.
  if (tree) left = left.then(() => waitForGroup(child.pid, grace));
  if (signal !== "SIGKILL" && await outlives(left, grace)) send("SIGKILL");
  await ended;
}

/** Whether the promise is still open, or says `true`, after the grace. */
async function outlives(
  left: Promise<boolean>,
  grace: number,
): Promise<boolean> {
  if (grace === Infinity) return await left;
  const over = new AbortController();
  const timer = delay(grace, { signal: over.signal }).then(() => true);
  timer.catch(() => {});
  try {
    return await Promise.race([left, timer]);
  } finally {
    over.abort();
  }
}

/** Waits for the end of a group; says whether it lives on after the grace. */
async function waitForGroup(pid: number, grace: number): Promise<boolean> {
  const last = performance.now() + grace;
  // To look at all processes takes some milliseconds, so it is done less often.
  let pause = 2 * STEP;
  let look = 0;
  while (groupExists(pid)) {
    const now = performance.now();
    if (now > last) return true;
    if (now >= look) {
      if (!await someoneLives(pid)) return false;
      look = performance.now() + pause;
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
    await delay(STEP);
  }
  return false;
}

/** States of the dead: a zombie has ended, and nobody has asked how. */
const DEAD = /^[ZX]/;

/**
 * Whether a process of this group lives. The dead belong to it, too, until they
 * are reaped, and whoever has to do that (process 1 for orphans) may take its
 * time.
 */
async function someoneLives(group: number): Promise<boolean> {
  const states = mayReadProc() ? statesInProc(group) : await statesByPs(group);
  return states === undefined || states.some((state) => !DEAD.test(state));
}

/** The states of the processes of a group, as Linux tells them. */
function statesInProc(group: number): string[] | undefined {
  const states: string[] = [];
  try {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const [state, of] = stateOf(name);
      if (Number(of) === group) states.push(state);
    }
    return states;
  } catch {
    return undefined;
  }
}

/** The state of a process and its group; nothing if it is gone by now. */
function stateOf(pid: string): string[] {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // `pid (name) state parent group …`; there may be anything in the name.
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [state, group];
  } catch {
    return [];
  }
}

/** The same, as a program tells them; killTree has the permission to run it. */
async function statesByPs(group: number): Promise<string[] | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("ps", {
      args: ["-A", "-o", "pgid=", "-o", "stat="],
      cwd: "/",
      stdin: "null",
      stderr: "null",
    }).output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([of]) => Number(of) === group)
      .map(([, state]) => state);
  } catch {
    return undefined; // There is no ps. So wait.
  }
}

function groupExists(pid: number): boolean {
  // Signal 0 reaches nobody, and fails when there is nobody.
  return killGroup(pid, 0 as unknown as Deno.Signal);
}

function killGroup(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(-pid, signal);
    return true;
  } catch (error) {
    // Some systems refuse it when there are only dead ones.
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied
    ) return false;
    throw error;
  }
}

/**
 * Sends a signal to a child.
 *
 * @returns Whether it runs; if it has ended, nothing happens.
 */
export function sendSignal(
  child: Deno.ChildProcess,
  signal: Deno.Signal,
): boolean {
  try {
    child.kill(signal);
    return true;
  } catch (error) {
    // It has ended, whether Deno knows that already (TypeError) or not.
    if (error instanceof TypeError || error instanceof Deno.errors.NotFound) {
      return false;
    }
    throw error;
  }
}
