/**
 * Shared objects, which travel by their address.
 *
 * @module
 */

import { classOf } from "../shared_class.ts";
import { addressOf, SharedObject } from "../shared_object.ts";
import { refuseInstance } from "./encode_built_in.ts";
import { sendableId } from "./registry.ts";
import { constructorOf } from "./refusal.ts";
import { SHARED, SHARED_INSTANCE } from "./tags.ts";
import type { Writer } from "./writer.ts";

/**
 * Writes `object`, whose prototype is `prototype`, if it is a shared object.
 * A marked subclass is named, so that the receiver's handle is of it too.
 */
export function writeShared(
  w: Writer,
  object: object,
  prototype: object | null,
): boolean {
  if (!(object instanceof SharedObject)) return false;
  const address = addressOf(object);
  const constructor = constructorOf(prototype);
  const id = constructor && sendableId(constructor);
  if (id === undefined && classOf(address)?.constructor !== constructor) {
    refuseInstance(object, constructor ?? object.constructor);
  }
  w.identities.add(object);
  w.references.push(object);
  if (id === undefined) {
    w.tagged(SHARED, address);
  } else {
    w.sendable(id);
    w.tagged(SHARED_INSTANCE, address);
    w.uint32(id);
  }
  return true;
}
