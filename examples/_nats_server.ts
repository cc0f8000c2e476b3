import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A server of an example, which ends with its block. */
export interface NatsServer extends AsyncDisposable {
  /** Where it listens. */
  readonly address: string;
}

/**
 * Starts the server that `deno task cluster:server` fetches, on the loopback
 * interface and with an empty store.
 *
 * @returns The server; `undefined`, and how to get one is said, if there is none.
 */
export async function startNatsServer(): Promise<NatsServer | undefined> {
  const store = await Deno.makeTempDir({ dir: "/tmp", prefix: "skein-nats-" });
  const remove = () => Deno.remove(store, { recursive: true });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(here("../.cache/nats-server"), {
      args: ["-c", here("cluster/single.conf"), "-a", "127.0.0.1"]
        .concat("-p", String(port)),
      env: { NATS_STORE: store },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    await remove();
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("There is no server: `deno task cluster:server` fetches one.");
    return undefined;
  }
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await remove();
    },
  };
}

/**
 * Runs the example once more, in another part, and passes on what it prints.
 *
 * @param module The example, `import.meta.url`.
 * @param args The part and what it needs to know.
 * @param tell Gets each line.
 * @returns The process.
 */
export function runPart(
  module: string,
  args: string[],
  tell: (line: string) => void,
): Deno.ChildProcess {
  const child = new Deno.Command("deno", {
    args: ["run", "--no-prompt", "--allow-net=127.0.0.1", module, ...args],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  (async () => {
    let rest = "";
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      lines.forEach(tell);
    }
  })();
  return child;
}
