// Errors on their way from the helper thread, with their classes.
import { CommandError } from "./_command/result.ts";

interface FlatError {
  name: string;
  message: string;
  dom: boolean;
  init?: CommandError;
}

/** An error as something that can be sent. */
export function flatten(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  const dom = error instanceof DOMException;
  const flat: FlatError = { name, message, dom };
  if (error instanceof CommandError) {
    const { command, stage, status, signal, stderr } = error;
    flat.init = { command, stage, status, signal, stderr } as CommandError;
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
  const { name, message, dom, init } = value as FlatError;
  if (init !== undefined) return new CommandError(message, init);
  if (dom) return new DOMException(message, name);
  if (Object.hasOwn(CLASSES, name)) return new CLASSES[name](message);
  const error = new Error(message);
  error.name = name;
  return error;
}
