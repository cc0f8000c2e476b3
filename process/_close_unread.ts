// Closing the input of a child that need not have read it.
import type { TextWriter } from "./text_stream.ts";

/** Closes the stream, whether the child has read all of it or not. */
export async function closeUnread(stdin: TextWriter): Promise<void> {
  try {
    await stdin.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
