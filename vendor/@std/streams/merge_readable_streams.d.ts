/** Hand-written types, as `jsr:@std/streams/merge-readable-streams` has them. */

export declare function mergeReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
