/**
 * The SHA-256 of all files of a folder, on all cores, with a progress bar.
 *
 * Without an argument it hashes the source files of skein's own pool. The chapter
 * has no such program. This prints a line for each file, and then:
 *
 *     every hash is that of its file: true
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ThreadPool } from "@skein/std/pool";
import { progressBar } from "@skein/std/process";
import { sendable } from "@skein/std/threading";

/** The hash of a file, as hexadecimal digits. */
export const hash = sendable(import.meta, function hash(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
});

/** All files under a folder. */
function* filesIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

if (import.meta.main) {
  const folder = Deno.args[0] ??
    fileURLToPath(new URL("../pool", import.meta.url));
  const files = [...filesIn(folder)].sort();
  await using pool = new ThreadPool();
  const hashes = pool.map(hash, files, {
    onProgress: await progressBar("hashing"), // drawn on a terminal
  });
  let isRight = true;
  let i = 0;
  for await (const each of hashes) {
    const file = files[i++];
    isRight &&= each === hash(file);
    console.log(each.slice(0, 16), file.slice(folder.length + 1));
  }
  console.log(`every hash is that of its file: ${isRight}`);
}
