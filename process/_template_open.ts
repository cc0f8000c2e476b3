// The shell of a template, with this program at one end of it.
import { argvOf } from "./_argv.ts";
import { unlessUnread } from "./_feed.ts";
import { inheriting, spawn, type SpawnOptions } from "./_spawn.ts";
import { startPiped } from "./_sync.ts";
import { type ChildSync, createChild, createChildSync } from "./child.ts";
import type {
  TemplateReader,
  TemplateReaderSync,
  TemplateWriter,
  TemplateWriterSync,
} from "./template_stream.ts";
import { createTextReader, createTextWriter } from "./text_stream.ts";
import {
  createTextReaderSync,
  createTextWriterSync,
} from "./text_stream_sync.ts";

/** Removes the folder of the steps' files, if there is one. */
function remove(folder: string | undefined): void {
  if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
}

function start(
  script: string,
  folder: string | undefined,
  piped: Partial<SpawnOptions>,
) {
  try {
    const child = spawn(argvOf(script), { ...inheriting({}), ...piped });
    const process = createChild(child);
    // The files go when the shell does, whether anybody waits for that or not.
    const ended = process.wait().finally(() => remove(folder));
    ended.catch(() => {});
    return { child, process, ended };
  } catch (error) {
    remove(folder);
    throw error;
  }
}

/** Reads what the script writes; the folder goes when it has ended. */
export function openReader(script: string, folder?: string): TemplateReader {
  const { child, process, ended } = start(script, folder, { stdout: "piped" });
  const stdout = createTextReader(child.stdout);
  const close = async () => {
    await stdout.close();
    return await ended;
  };
  return {
    stdout,
    process,
    close,
    [Symbol.asyncDispose]: async () => void await close(),
  };
}

/** Writes what the script reads; the folder goes when it has ended. */
export function openWriter(script: string, folder?: string): TemplateWriter {
  const { child, process, ended } = start(script, folder, { stdin: "piped" });
  const stdin = createTextWriter(child.stdin);
  const close = async () => {
    // The status says why, if it did not read all.
    await unlessUnread(stdin.close());
    return await ended;
  };
  return {
    stdin,
    process,
    close,
    [Symbol.asyncDispose]: async () => void await close(),
  };
}

function startSync(
  script: string,
  folder: string | undefined,
  end: "stdin" | "stdout",
) {
  try {
    const { stdin, stdout, stderr } = inheriting({});
    const streams = { stdin, stdout, stderr, [end]: "piped" };
    const { process, ...ends } = startPiped({ cmd: script }, streams);
    return { own: ends[end]!, process: createChildSync(process) };
  } catch (error) {
    remove(folder);
    throw error;
  }
}

/** Closes this program's end and waits for the other, once. */
function closing(
  stream: { close(): void },
  process: ChildSync,
  folder: string | undefined,
): () => number {
  let status: number | undefined;
  return () => {
    if (status !== undefined) return status;
    stream.close();
    status = process.waitSync();
    remove(folder);
    return status;
  };
}

/** Like `openReader`, blocking the thread. */
export function openReaderSync(
  script: string,
  folder?: string,
): TemplateReaderSync {
  const { own, process } = startSync(script, folder, "stdout");
  const stdout = createTextReaderSync(own);
  const close = closing(stdout, process, folder);
  return { stdout, process, close, [Symbol.dispose]: () => void close() };
}

/** Like `openWriter`, blocking the thread. */
export function openWriterSync(
  script: string,
  folder?: string,
): TemplateWriterSync {
  const { own, process } = startSync(script, folder, "stdin");
  const stdin = createTextWriterSync(own);
  const close = closing(stdin, process, folder);
  return { stdin, process, close, [Symbol.dispose]: () => void close() };
}
