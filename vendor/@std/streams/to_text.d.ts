/** Hand-written types, as `jsr:@std/streams/to-text` declares them. */

export declare function toText(stream: ReadableStream): Promise<string>;
