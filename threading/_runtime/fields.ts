/**
 * The fields of a Thread instance: they travel to the thread when it starts,
 * and what `run` made of them travels back when it has ended.
 *
 * @module
 */

import { encode } from "../_codec/encode.ts";
import { draftRecord } from "../_codec/record.ts";
import { SharedObject } from "../_memory/shared_object.ts";

type Fields = Record<string, unknown>;

/** The fields of an instance, as they are sent when it starts. */
export function fieldsOf(instance: object): Fields {
  return { ...instance };
}

/**
 * Encodes the fields that `run` may have changed: those that were assigned, and
 * copies, whose content may have changed. Fields that cannot be sent stay.
 *
 * @param instance The instance, after `run`.
 * @param before Its fields before.
 * @returns A record, or 0 if there is nothing to send.
 */
export function draftFields(instance: object, before: Fields): number {
  const changed: Fields = {};
  for (const [name, value] of Object.entries(instance)) {
    const same = Object.is(value, before[name]);
    if (!same || (isCopied(value) && isSendable(value))) changed[name] = value;
  }
  if (Object.keys(changed).length === 0) return 0;
  try {
    return draftRecord(changed);
  } catch {
    const sendable = Object.entries(changed).filter(([, v]) => isSendable(v));
    return draftRecord(Object.fromEntries(sendable));
  }
}

function isCopied(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    !(value instanceof SharedObject);
}

function isSendable(value: unknown): boolean {
  try {
    encode(value);
    return true;
  } catch {
    return false;
  }
}
