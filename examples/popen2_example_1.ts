/**
 * The chapter's first example of the popen2 module: sorting strings with a
 * program of their own.
 *
 * It prints:
 *
 *     bar
 *     foo
 *
 * @module
 */

import { popen2 } from "@skein/std/process";

const { stdout: fin, stdin: fout } = popen2("sort");

await fout.write("foo\n");
await fout.write("bar\n");
await fout.close();

console.log((await fin.readline()).trimEnd());
console.log((await fin.readline()).trimEnd());
await fin.close();
