/**
 * Shared objects, which travel by their address.
 *
 * @module
 */

import { addressOf, classOf, SharedObject } from "../shared_object.ts";
import { open } from "./encode.ts";
import { refuseInstance } from "./encode_built_in.ts";
import { writeFields } from "./encode_shape.ts";
import { sendableId } from "./registry.ts";
import { classNameOf, constructorOf, Refusal } from "./refusal.ts";
import {
  DEFERRED,
  MAX_DEPTH,
  SHARED,
  SHARED_FIELDS,
  SHARED_INSTANCE,
} from "./tags.ts";
import type { Writer } from "./writer.ts";

/**
 * Writes `object`, whose prototype is `prototype`, if it is a shared object.
 * A marked subclass is named, so that the receiver's handle is of it too, and
 * the fields that it adds are copied. Those of skein's own classes are symbols,
 * which stay behind.
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
    return true;
  }
  w.sendable(id);
  const keys = Object.keys(object);
  if (keys.length === 0) {
    w.tagged(SHARED_INSTANCE, address);
    w.uint32(id);
    return true;
  }
  if (w.root === "key") {
    throw new Refusal(
      `a key is found by its identity, so the fields of a ${
        classNameOf(object)
      } cannot travel with it; use one without fields, or its name`,
      object,
    );
  }
  if (w.depth >= MAX_DEPTH) w.byte(DEFERRED);
  w.tagged(SHARED_FIELDS, address);
  w.uint32(id);
  open(w, object, keys, writeFields);
  return true;
}
