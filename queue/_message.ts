/**
 * Messages: items that are encoded in a few words and refer to nothing. They
 * lie where the queue has the item, so they need no block of their own, and
 * whoever takes one out copies it in the same critical section: there is no
 * draft that could be left over.
 *
 * @module
 */

import { decode } from "../threading/_memory/codec/decode.ts";
import type { Encoded } from "../threading/_memory/codec/encode.ts";
import { words } from "../threading/_memory/heap.ts";

/** The most words a message has: with its cell it fills 64 bytes. */
export const MESSAGE_WORDS = 14;
const PLACE_BYTES = 64;

/** So many messages can be taken out before the first of them is read. */
export const MAX_RECEIVED = 8;

/** Where messages are read: shared, so that the decoder keeps its view on it. */
const received = new Uint8Array(
  new SharedArrayBuffer(MAX_RECEIVED * PLACE_BYTES),
);
const receivedWords = new Int32Array(received.buffer);

/** Whether an encoded item is a message. */
export function isMessage(encoded: Encoded): boolean {
  return encoded.length <= MESSAGE_WORDS * 4 &&
    encoded.references.length === 0 && encoded.sendables.length === 0;
}

/** The size of a message in words. */
export function messageWords(length: number): number {
  return length + 3 >> 2;
}

/** Writes a message to an address. */
export function writeMessage(at: number, message: Encoded): void {
  const source = message.words;
  const count = messageWords(message.length);
  for (let i = 0; i < count; i++) words[at + i] = source[i];
}

/** Copies a message, whatever becomes of it, to the nth place. */
export function receive(at: number, length: number, n: number): void {
  const start = n * (PLACE_BYTES / 4);
  const count = messageWords(length);
  for (let i = 0; i < count; i++) receivedWords[start + i] = words[at + i];
}

/** The item of the message in the nth place. */
export function readReceived(n: number, length: number): unknown {
  const start = n * PLACE_BYTES;
  return decode(received, start, start + length);
}
