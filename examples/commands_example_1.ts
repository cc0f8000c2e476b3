/**
 * The chapter's example of the commands module: the status and the output of
 * a command for the shell.
 *
 * It prints, with another number:
 *
 *     status => 0
 *     output => 171046 bytes
 *
 * @module
 */

import { getStatusOutput } from "@skein/std/process";

const { status, output } = await getStatusOutput("ls -lR");

console.log("status", "=>", status);
console.log("output", "=>", output.length, "bytes");
