/**
 * A main program that marks at its top level, late, and under
 * `if (import.meta.main)`, and says what can be sent.
 */

import { sendable, Thread } from "../../threading/mod.ts";

const targets: Record<string, () => unknown> = {};

function mark(name: string, value: () => unknown): void {
  targets[name] = sendable(import.meta, value);
}

targets.top = sendable(import.meta, () => "top");
mark("helper", () => "helper");
// Runs in every thread.
if (typeof import.meta.main === "boolean") mark("both", () => "both");
await Promise.resolve();
targets.afterAwait = sendable(import.meta, () => "after await");
export class Static {
  static {
    mark("static", () => "static");
  }
}
const text = "if (import.meta.main) {"; // if (import.meta.main) {
mark("afterText", () => text.length);

function main() {
  mark("inFunction", () => "in a function");
}

async function mainAsync() {
  mark("inAsync", () => "in an async function");
  await Promise.resolve();
  mark("inAsyncLater", () => "in an async function, later");
}

if (import.meta.main) {
  mark("inIf", () => "in an if");
  targets.inIfDirectly = sendable(import.meta, function inIfDirectly() {});
  if (text.length > 0) {
    main();
  }
}
if (import.meta.main) await mainAsync();
if (import.meta.main) {
  for (const [name, target] of Object.entries(targets)) {
    try {
      const thread = new Thread({ target });
      thread.start();
      console.log(name, "->", await thread.join({ timeout: 30_000 }));
    } catch (error) {
      const { name: kind, message } = error as Error;
      console.log(name, kind, message.match(/under|inside/)?.[0] ?? message);
    }
  }
}
