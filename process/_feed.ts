// Writing a source to a child's standard input.
import { bytesOf } from "./_source.ts";
import type { Chunk } from "./options.ts";

/**
 * Writes all that an iterator gives, and closes the stream. A reader that has
 * read enough ends it early, which is no error.
 *
 * @param open Gives the chunks.
 * @param stream The child's standard input.
 * @param ended Resolves when nobody is left to read.
 * @param report Is told of every chunk's size, once it is written.
 */
export async function feed(
  open: () => AsyncIterator<Chunk> | Iterator<Chunk>,
  stream: WritableStream<Uint8Array>,
  ended: Promise<void>,
  report?: (bytes: number) => void,
): Promise<void> {
  const writer = stream.getWriter();
  const over = ended.then(() => undefined);
  let done: boolean | undefined = false;
  let iterator: ReturnType<typeof open> | undefined;
  try {
    iterator = open();
    while (true) {
      const step = await Promise.race([iterator.next(), over]);
      done = step?.done;
      if (step === undefined || step.done) break;
      const bytes = bytesOf(step.value);
      if (bytes.length === 0) continue;
      const written = writer.write(bytes).then(() => true);
      if (await Promise.race([written, over]) === undefined) {
        written.catch(() => {});
        break;
      }
      report?.(bytes.length);
    }
    if (done) await Promise.race([writer.close(), over]);
  } catch (error) {
    done = true;
    if (!isClosedPipe(error)) throw error;
    done = false;
  } finally {
    // An iterator may be waiting for something that never comes.
    if (!done) Promise.resolve(iterator?.return?.()).catch(() => {});
    writer.abort().catch(() => {});
  }
}

/** Whether an error says that the reader of a pipe is gone. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset;
}
