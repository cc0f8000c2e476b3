/**
 * A server that answers with the output of commands while they run: a log,
 * compressed on its way. A client that leaves early ends the commands of its
 * answer; another one sends a body through commands.
 *
 * The chapter has no such program. This prints:
 *
 *     the log has 20000 lines
 *     the first one is: entry 1
 *     the endless log begins with: y
 *     sorted: eggs spam
 *
 * @module
 */

import { pipeline } from "@skein/std/process";
import { TextLineStream } from "@std/streams/text-line-stream";
import { toText } from "@std/streams/to-text";

/** Writes a log of 20000 lines. */
const LOG = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo entry $i; done";

/** Answers with the output of commands, or sends a body through them. */
function answer(request: Request): Response {
  const headers = { "content-encoding": "gzip" };
  switch (new URL(request.url).pathname) {
    case "/log":
      // What the client does not read yet waits in the commands.
      return new Response(pipeline(LOG, ["gzip"]).readable(), { headers });
    case "/endless":
      return new Response(pipeline(["yes"], ["gzip"]).readable(), { headers });
    default: {
      const sorting = pipeline(["sort"], ["uniq"]);
      return new Response(request.body?.pipeThrough(sorting.transform()));
    }
  }
}

/** The lines of an answer, as they come; `fetch` has unpacked them. */
function linesOf({ body }: Response): ReadableStream<string> {
  return body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
}

const local = { hostname: "127.0.0.1", port: 0, onListen() {} };
await using server = Deno.serve(local, answer);
const url = `http://127.0.0.1:${server.addr.port}`;

const lines: string[] = [];
for await (const line of linesOf(await fetch(`${url}/log`))) lines.push(line);
console.log(`the log has ${lines.length} lines`);
console.log(`the first one is: ${lines[0]}`);

// Leaving the loop leaves the server, which ends both commands.
for await (const line of linesOf(await fetch(`${url}/endless`))) {
  console.log(`the endless log begins with: ${line}`);
  break;
}

const body = "spam\neggs\nspam\n";
const sorted = await fetch(`${url}/sorted`, { method: "POST", body });
const words = await toText(sorted.body!);
console.log(`sorted: ${words.trim().split("\n").join(" ")}`);
