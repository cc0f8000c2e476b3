// Reading what a child writes.
import { INTERRUPTED, type Interruptible } from "./_wait.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What becomes of the bytes. */
export interface Collecting {
  /** Where they are kept, if they are. */
  chunks?: Bytes[];
  /** How many are kept at most. */
  limit: number;
  /** Where they are written, if they are. */
  copy?: WritableStreamDefaultWriter<Uint8Array>;
  /** Interrupted when nobody is to wait for the copy any more. */
  until: Interruptible;
}

/**
 * Reads a stream to its end.
 *
 * @param reader The stream.
 * @param collecting What becomes of the bytes.
 * @returns Whether there are more than the limit; the rest is left unread.
 */
export async function collect(
  reader: ReadableStreamDefaultReader<Bytes>,
  { chunks, limit, copy, until }: Collecting,
): Promise<boolean> {
  let size = 0;
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return false;
      if (chunks !== undefined) {
        size += value.length;
        if (size > limit) {
          chunks.push(value.subarray(0, value.length - (size - limit)));
          return true;
        }
        chunks.push(value);
      }
      // The copy may be stuck; then only the end of the pipeline helps.
      if (copy && await until.wait(copy.write(value)) === INTERRUPTED) {
        return false;
      }
    }
  } finally {
    // What still writes is told that nobody reads any more.
    await reader.cancel().catch(() => {});
  }
}
