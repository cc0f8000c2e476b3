import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const BINARY = here("../../.cache/nats-server");

function works(): boolean {
  try {
    return new Deno.Command(BINARY, { args: ["-v"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** Whether there is a server to test with. */
export const hasServer = works();

if (!hasServer) {
  console.warn(
    "\n*** The tests of `cluster` that need a server are SKIPPED: there is no\n" +
      "*** .cache/nats-server; `deno task cluster:server` fetches it.\n",
  );
}

/** A test that needs a server; without one it is skipped, and says why. */
export function serverTest(
  name: string,
  fn: (context: Deno.TestContext) => Promise<void>,
): void {
  const reason = hasServer
    ? ""
    : " (skipped: no nats-server, `deno task cluster:server` fetches it)";
  Deno.test({ name: name + reason, ignore: !hasServer, fn });
}

/** How many times as much is tried as in a usual run. */
export const STRESS = Number(Deno.env.get("SKEIN_STRESS") ?? 1);

/**
 * Tests that mostly wait, for leases and elections, and none of which blocks the
 * thread: the steps of one test, all of which begin at once. When more is tried
 * than usual they go one by one.
 *
 * @param name The name of the test.
 * @returns What adds a step.
 */
export function overlapping(
  name: string,
): (name: string, fn: () => Promise<void>) => void {
  const steps: Deno.TestStepDefinition[] = [];
  serverTest(name, async (context) => {
    if (STRESS > 1) {
      for (const step of steps) await context.step(step);
    } else await Promise.all(steps.map((step) => context.step(step)));
  });
  // Steps that run at once may not be watched for what each of them leaves.
  const unwatched = {
    sanitizeOps: false,
    sanitizeResources: false,
    sanitizeExit: false,
  };
  return (name, fn) => void steps.push({ name, fn, ...unwatched });
}

/** The path of a configuration under `examples/cluster/`. */
export function configuration(name: string): string {
  return here(`../../examples/cluster/${name}`);
}

/** A port of the loopback interface that nobody uses. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

const running = new Set<Server>();
addEventListener("unload", () => {
  for (const server of running) server.kill();
});

/** What a server is started with, beside its configuration. */
export interface ServerOptions {
  /** The file under `examples/cluster/`, or a path. */
  config?: string;
  /** Further flags. */
  args?: string[];
  /** The folder of its store, which then outlives it. */
  store?: string;
  /** Its port. */
  port?: number;
}

/** A server of a test, on the loopback interface, with a store of its own. */
export class Server implements AsyncDisposable {
  /** Where it listens. */
  readonly address: string;
  /** Its port. */
  readonly port: number;
  readonly #command: Deno.Command;
  readonly #folder: string;
  #child!: Deno.ChildProcess;

  private constructor(options: ServerOptions) {
    const { config = "single.conf", args = [] } = options;
    this.port = options.port ?? freePort();
    this.address = `127.0.0.1:${this.port}`;
    this.#folder = Deno.makeTempDirSync({ dir: "/tmp", prefix: "skein-nats-" });
    this.#command = new Deno.Command(BINARY, {
      args: [
        "-c",
        config.startsWith("/") ? config : configuration(config),
        "-a",
        "127.0.0.1",
        "-p",
        String(this.port),
        "-l",
        `${this.#folder}/log`,
        ...args,
      ],
      env: { NATS_STORE: options.store ?? this.#folder },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
  }

  /** Starts one and waits until it listens. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    await server.restart();
    return server;
  }

  /** Starts it once more, with the store that it has. */
  async restart(): Promise<void> {
    this.#child = this.#command.spawn();
    running.add(this);
    let ended = false;
    this.#child.status.then(() => ended = true);
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port }))
          .close();
        return;
      } catch (error) {
        if (ended) throw new Error(`nats-server ended:\n${this.log()}`);
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What it has written into its log. */
  log(): string {
    try {
      return Deno.readTextFileSync(`${this.#folder}/log`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "no log";
      throw error;
    }
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
  }

  /** Kills it; its store stays. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    running.delete(this);
    await this.#child.status;
  }

  /** Ends it and removes its store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A way to a port of the loopback interface that can be cut and mended. */
export class Way implements Disposable {
  /** Where it begins. */
  readonly address: string;
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #open = new Set<Deno.TcpConn>();
  #cut = false;

  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#run();
  }

  async #run(): Promise<void> {
    for await (const from of this.#listener) {
      if (this.#cut) {
        from.close();
        continue;
      }
      const to = await this.#connect();
      if (to === undefined) {
        from.close();
        continue;
      }
      for (const end of [from, to]) this.#open.add(end);
      from.readable.pipeTo(to.writable).catch(() => {});
      to.readable.pipeTo(from.writable).catch(() => {});
    }
  }

  async #connect(): Promise<Deno.TcpConn | undefined> {
    try {
      return await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      return undefined; // nobody listens there, yet or any more
    }
  }

  /** Ends what goes through it and refuses more. */
  cut(): void {
    this.#cut = true;
    for (const end of this.#open) {
      try {
        end.close();
      } catch {
        // It has ended.
      }
    }
    this.#open.clear();
  }

  /** Lets through again. */
  mend(): void {
    this.#cut = false;
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    this.cut();
    this.#listener.close();
  }
}

/** Three servers that keep everything threefold. */
export class Servers implements AsyncDisposable {
  /** The servers. */
  readonly all: Server[];
  /** The ways from a server to each of the others, if they can be cut. */
  readonly #ways: Way[][];

  private constructor(all: Server[], ways: Way[][]) {
    this.all = all;
    this.#ways = ways;
  }

  /** Where they listen. */
  get addresses(): string[] {
    return this.all.map(({ address }) => address);
  }

  /**
   * Starts three. With `separable` they reach each other by ways that can be
   * cut, and tell each other of no further ones.
   */
  static async start({ separable = false } = {}): Promise<Servers> {
    const ports = [freePort(), freePort(), freePort()];
    const ways = ports.map((own) =>
      separable
        ? ports.filter((port) => port !== own).map((port) => new Way(port))
        : []
    );
    const all = ports.map((own, i) => {
      const routes = separable
        ? ways[i].map(({ address }) => address)
        : ports.filter((port) => port !== own).map((p) => `127.0.0.1:${p}`);
      return Server.start({
        config: "node.conf",
        args: [
          "-n",
          `node-${i + 1}`,
          "--cluster",
          `nats://127.0.0.1:${own}`,
          ...separable
            ? ["--cluster_advertise", `127.0.0.1:${freePort()}`]
            : [],
          "--routes",
          routes.map((route) => `nats://${route}`).join(","),
        ],
      });
    });
    return new Servers(await Promise.all(all), ways);
  }

  /** Cuts a server off from the others; programs still reach all of them. */
  isolate(server: Server): void {
    const number = this.all.indexOf(server);
    for (const [from, ways] of this.#ways.entries()) {
      // The ways of a server leave out itself.
      const to = number > from ? number - 1 : number;
      for (const [i, way] of ways.entries()) {
        if (from === number || i === to) way.cut();
      }
    }
  }

  /** Joins them again. */
  join(): void {
    for (const way of this.#ways.flat()) way.mend();
  }

  /** Ends all and removes their stores. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((server) => server[Symbol.asyncDispose]()));
    for (const way of this.#ways.flat()) way[Symbol.dispose]();
  }
}

/** A name that no other test has. */
export function uniqueName(): string {
  return `test-${crypto.randomUUID().slice(0, 8)}`;
}

/** Waits for a time. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
