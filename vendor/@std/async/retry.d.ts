/** Hand-written types, as `jsr:@std/async/retry` declares them. */

export interface RetryOptions {
  multiplier?: number;
  maxTimeout?: number;
  maxAttempts?: number;
  minTimeout?: number;
  jitter?: number;
  isRetriable?: (err: unknown) => boolean;
  signal?: AbortSignal;
}

export declare class RetryError extends Error {
  constructor(cause: unknown, attempts: number);
}

export declare function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options?: RetryOptions,
): Promise<T>;
