/**
 * What a thread is to run, as it travels from the starter to the worker.
 *
 * @module
 */

import type { SendableClass, SendableFunction } from "../_codec/sendable.ts";

/** A function with its arguments. */
export interface CallJob {
  target: SendableFunction | undefined;
  args: unknown[];
}

/** An instance of a subclass of Thread, as its class and fields. */
export interface InstanceJob {
  constructor: SendableClass;
  fields: Record<string, unknown>;
  target: SendableFunction | undefined;
  args: unknown[];
}

/** Whether a job is an instance. */
export function isInstanceJob(job: CallJob | InstanceJob): job is InstanceJob {
  return Object.hasOwn(job, "fields");
}
