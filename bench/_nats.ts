// One nats-server on the loopback interface, for the programs of the cluster
// suite: .cache/nats-server, which `deno task cluster:server` fetches.
import { fileURLToPath } from "node:url";
import { type Program, Skipped } from "./_programs.ts";

const BINARY = fileURLToPath(
  new URL("../.cache/nats-server", import.meta.url),
);

/** A program that is left out where there is no server. */
export function withServer(program: Program): Program {
  return async () => {
    try {
      await Deno.stat(BINARY);
    } catch {
      throw new Skipped("nats-server is not there: deno task cluster:server");
    }
    return await program();
  };
}

/**
 * Starts a server, which ends with the program.
 *
 * @returns Where it listens.
 */
export async function startServer(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "skein-bench-nats-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder];
  const child = new Deno.Command(BINARY, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  addEventListener("unload", () => {
    child.kill("SIGKILL");
    Deno.removeSync(folder, { recursive: true });
  });
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return `127.0.0.1:${port}`;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
