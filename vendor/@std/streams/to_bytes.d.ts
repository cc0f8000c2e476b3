/** Hand-written types, as `jsr:@std/streams/to-bytes` declares them. */

export declare function toBytes(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>>;
