import { pathOfUrl } from "../../_internal/built_in.ts";

/** What a program printed and how it ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** Milliseconds it ran. */
  ms: number;
}

/**
 * Runs a program in a Deno of its own; one that hangs is killed.
 *
 * @param args What follows `deno`.
 * @param options Of `Deno.Command`.
 */
export async function runDeno(
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<Outcome> {
  const start = performance.now();
  const output = await new Deno.Command("deno", {
    signal: AbortSignal.timeout(60_000),
    stdin: "null",
    ...options,
    args,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...options.env },
  }).output();
  const ms = performance.now() - start;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    stdout: text(output.stdout),
    stderr: text(output.stderr),
    ms,
  };
}

/** The path of a fixture beside the tests. */
export function fixture(name: string): string {
  return pathOfUrl(new URL(name, import.meta.url));
}

/** The project's folder. */
export const root = new URL("../../", import.meta.url);

/** Serves the project's files, as a registry does. */
export function serveRoot(): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, async (request) => {
    const { pathname } = new URL(request.url);
    try {
      const text = await Deno.readTextFile(new URL("." + pathname, root));
      const headers = { "content-type": "application/typescript" };
      return new Response(text, { headers });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
}

/** What a program printed that `deno compile` has made. */
export interface Compiled extends Outcome {
  /** Whether it could not be made, since Deno's runtime cannot be had. */
  ignore: boolean;
  /** Says so, for the name of a test; else empty. */
  reason: string;
}

/**
 * Compiles a program, which downloads a runtime the first time, and runs it.
 *
 * @param run Runs `deno`.
 * @param binary The file to make.
 * @param args Permissions, and the module.
 */
export async function compile(
  run: (...args: string[]) => Promise<Outcome>,
  binary: string,
  args: string[],
): Promise<Compiled> {
  const made = await run("compile", "--quiet", "--output", binary, ...args);
  const ignore = made.code !== 0 &&
    /denort|dl\.deno\.land|error sending request/i.test(made.stderr);
  const reason = ignore
    ? " (skipped: the runtime that `deno compile` needs cannot be downloaded)"
    : "";
  if (made.code !== 0) return { ...made, ignore, reason };
  // The tests may run nothing but deno.
  const program = `
    const { stdout, stderr } =
      await new Deno.Command(${JSON.stringify(binary)}).output();
    await Deno.stdout.write(stdout);
    await Deno.stderr.write(stderr);`;
  return { ...await run("eval", program), ignore, reason };
}
