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
  const next = (i: number) => {
    const step = readers[i].read().then((result) => ({ i, ...result }));
    // It may fail before anybody asks for it.
    step.catch(() => {});
    return step;
  };
  const coming = new Map(readers.map((_, i) => [i, next(i)]));
  return new ReadableStream({
    async pull(controller) {
      while (coming.size > 0) {
        const { i, value, done } = await Promise.race(coming.values());
        if (done) {
          coming.delete(i);
          continue;
        }
        coming.set(i, next(i));
        return controller.enqueue(value);
      }
      controller.close();
    },
    async cancel(reason) {
      await Promise.all(readers.map((reader) => reader.cancel(reason)));
    },
  }, { highWaterMark: 0 });
}
