/** Hand-written types, as `jsr:@std/streams/text-line-stream` declares them. */

export interface TextLineStreamOptions {
  allowCR?: boolean;
}

export declare class TextLineStream extends TransformStream<string, string> {
  constructor(options?: TextLineStreamOptions);
}
