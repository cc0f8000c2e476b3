// Reading what a child writes.

type Bytes = Uint8Array<ArrayBuffer>;

/** What becomes of the bytes. */
export interface Collecting {
  /** Where they are kept, if they are. */
  chunks?: Bytes[];
  /** How many are kept at most. */
  limit: number;
  /** Where they are written, if they are. */
  copy?: WritableStream<Uint8Array>;
  /** Whether the copy is closed at the end. */
  closes: boolean;
  /** Aborted when nobody is to wait for the copy any more. */
  over: AbortSignal;
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
  { chunks, limit, copy, closes, over }: Collecting,
): Promise<boolean> {
  const writer = copy?.getWriter();
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const abort = () => resolve();
  over.addEventListener("abort", abort);
  let size = 0;
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) break;
      if (chunks !== undefined) {
        size += value.length;
        if (size > limit) {
          chunks.push(value.subarray(0, value.length - (size - limit)));
          return true;
        }
        chunks.push(value);
      }
      // The copy may be stuck; then only the end of the pipeline helps.
      if (writer) await Promise.race([writer.write(value), aborted]);
    }
    if (writer && closes) await Promise.race([writer.close(), aborted]);
    return false;
  } finally {
    over.removeEventListener("abort", abort);
    writer?.releaseLock();
    // What still writes is told that nobody reads any more.
    await reader.cancel().catch(() => {});
  }
}
