/**
 * What goes between the threads of the blocking forms: bytes, how a pipeline
 * ended, and errors.
 *
 * @module
 */

import { pathOfUrl } from "../../_internal/built_in.ts";
import type { Stage } from "../_command/options.ts";
import {
  CommandError,
  type CommandErrorInit,
  type CommandTimeout,
  createResult,
  madeOf,
  type Outcome,
  withResult,
} from "../_command/result.ts";

/** Bytes as they are sent to the other thread and back. */
export type SharedBytes = SharedArrayBuffer;

/** Bytes, to be sent. */
export function share(bytes: Uint8Array): SharedBytes {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof SharedArrayBuffer && buffer.byteLength === byteLength) {
    return buffer;
  }
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/** Bytes that were sent, as memory of this thread. */
function unshare(shared: SharedBytes): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Uint8Array(shared));
}

/** How a pipeline ended, as it is sent. */
export interface SentOutcome
  extends Omit<Outcome, "stages" | "stdout" | "branches"> {
  readonly stages: readonly { status: number; stderr: SharedBytes }[];
  readonly stdout: SharedBytes;
  readonly branches?: readonly SentBranch[];
}

/** The same of a branch. */
interface SentBranch {
  readonly outcome: SentOutcome;
  readonly stages: readonly Stage[];
}

/** How a pipeline ended, to be sent. */
export function sentOutcome(
  { stages, stdout, branches, ...rest }: Outcome,
): SentOutcome {
  return {
    ...rest,
    stages: stages.map(({ status, stderr }) => ({
      status,
      stderr: share(stderr),
    })),
    stdout: share(stdout),
    branches: branches?.map(({ outcome, stages }) => ({
      outcome: sentOutcome(outcome),
      stages,
    })),
  };
}

/** How a pipeline ended, as it was before it was sent. */
export function received(
  { stages, stdout, branches, ...rest }: SentOutcome,
): Outcome {
  return {
    ...rest,
    stages: stages.map(({ status, stderr }) => ({
      status,
      stderr: unshare(stderr),
    })),
    stdout: unshare(stdout),
    branches: branches?.map(({ outcome, stages }) => ({
      outcome: received(outcome),
      stages,
    })),
  };
}

interface FlatError {
  name: string;
  message: string;
  dom: boolean;
  init?: Omit<CommandErrorInit, "result">;
  result?: { outcome: SentOutcome; stages: readonly Stage[] };
}

/** An error as something that can be sent. */
export function flatten(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  const dom = error instanceof DOMException;
  const flat: FlatError = { name, message, dom };
  if (error instanceof CommandError) {
    const { command, stage, status, signal, stderr } = error;
    flat.init = { command, stage, status, signal, stderr };
  }
  const { result } = error as Partial<CommandTimeout>;
  if (result !== undefined) {
    const { outcome, stages } = madeOf(result);
    flat.result = { outcome: sentOutcome(outcome), stages };
  }
  return flat;
}

const CLASSES: Record<string, new (message: string) => Error> = {
  ...Deno.errors as unknown as Record<string, new (message: string) => Error>,
  TypeError,
  RangeError,
};

/** The error again, with the stack of the caller. */
export function revive(value: unknown): unknown {
  const { name, message, dom, init, result: sent } = value as FlatError;
  const result = sent && createResult(received(sent.outcome), sent.stages);
  if (init !== undefined) return new CommandError(message, { ...init, result });
  if (dom) {
    const error = new DOMException(message, name);
    return result === undefined ? error : withResult(error, result);
  }
  if (Object.hasOwn(CLASSES, name)) return new CLASSES[name](message);
  const error = new Error(message);
  error.name = name;
  return error;
}

/** Options that can be sent: a URL cannot be. */
export function plainOptions<T extends { cwd?: string | URL }>(options: T): T {
  const { cwd } = options;
  return { ...options, cwd: cwd instanceof URL ? pathOfUrl(cwd) : cwd };
}
