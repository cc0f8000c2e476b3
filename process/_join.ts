// One stream of two.

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Joins streams: what comes first on one of them is passed on first. It reads
 * no further than it is read, and cancelling it cancels them.
 *
 * @param streams The streams.
 * @returns The stream of all their chunks.
 */
export function join(
  ...streams: readonly ReadableStream<Bytes>[]
): ReadableStream<Bytes> {
  const readers = streams.map((stream) => stream.getReader());
  /** What has come and was not passed on yet; at most one for each stream. */
  const come: (() => Bytes | undefined)[] = [];
  let wake: (() => void) | undefined;
  let left = readers.length;
  const next = (reader: ReadableStreamDefaultReader<Bytes>) => {
    const add = (take: () => Bytes | undefined) => {
      come.push(take);
      wake?.();
    };
    reader.read().then(
      ({ value, done }) =>
        add(() => {
          if (done) return void left--;
          next(reader);
          return value;
        }),
      (error) =>
        add(() => {
          throw error;
        }),
    );
  };
  readers.forEach(next);
  return new ReadableStream({
    async pull(controller) {
      while (left > 0) {
        if (come.length === 0) {
          await new Promise<void>((resolve) => wake = resolve);
        }
        const bytes = come.shift()!();
        if (bytes !== undefined) return controller.enqueue(bytes);
      }
      controller.close();
    },
    async cancel(reason) {
      await Promise.all(readers.map((reader) => reader.cancel(reason)));
    },
  }, { highWaterMark: 0 });
}
