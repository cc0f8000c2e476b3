// Writing a source to a child's standard input.
import { bytesOf, type Input } from "./_source.ts";
import { forOneTurn, INTERRUPTED, type Interruptible } from "./_wait.ts";

/** What is written, to whom, and who hears of it. */
export interface Feeding {
  /** Opens the source. */
  open: () => Input;
  /** The child's standard input. */
  stdin: WritableStream<Uint8Array>;
  /** Interrupted when nobody needs more of the source. */
  until: Interruptible;
  /** Resolves when the children have ended. */
  ended: Promise<unknown>;
  /** Is told of every chunk's size, once it is written. */
  report?: (bytes: number) => void;
  /** Is told of an error of the source; it ends the children. */
  fail: (error: unknown) => void;
  /** The error for which the pipeline ends, if there is one. */
  reason: () => unknown;
}

/**
 * Writes all that a source gives, and closes the child's standard input. A
 * child that reads no more of it ends this early, which is no error; every
 * error of the source is one. A source that is not read to its end is left:
 * cancelled, or told to return.
 */
export async function feed(feeding: Feeding): Promise<void> {
  const { stdin, ended, fail, reason } = feeding;
  const writer = stdin.getWriter();
  let input: Input | undefined;
  let finished = false;
  try {
    input = feeding.open();
    finished = await pump(input, writer, feeding);
  } catch (error) {
    fail(error);
  }
  try {
    await forOneTurn(input?.leave(reason()));
  } catch (error) {
    fail(error);
  }
  // A child that reads the end of its input takes it for complete. So what is
  // not complete ends with the child.
  if (!finished) await ended;
  writer.abort().catch(() => {});
}

/** Says whether the child has got all of it, or does not read any more. */
async function pump(
  input: Input,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  { until, report }: Feeding,
): Promise<boolean> {
  while (true) {
    const step = await until.wait(input.next());
    if (step === INTERRUPTED) return false;
    if (step.done) break;
    const bytes = bytesOf(step.value);
    if (bytes.length === 0) continue;
    const written = await until.wait(unlessUnread(writer.write(bytes)));
    if (written === INTERRUPTED) return false;
    if (!written) return true;
    report?.(bytes.length);
  }
  return await until.wait(unlessUnread(writer.close())) !== INTERRUPTED;
}

/**
 * Waits until something is written to a child's standard input, or that is
 * closed: the one place where a broken pipe is no error.
 *
 * @returns Whether there is somebody who reads it.
 */
export async function unlessUnread(written: Promise<void>): Promise<boolean> {
  try {
    await written;
    return true;
  } catch (error) {
    if (
      error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.ConnectionReset
    ) return false;
    throw error;
  }
}
