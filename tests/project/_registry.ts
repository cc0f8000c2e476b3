import { build } from "../../build.ts";
import config from "../../deno.json" with { type: "json" };

/** A server that has the package, as a registry would. */
export interface Registry {
  /** Where it is: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** What a project writes into its deno.json to import the package. */
  readonly imports: Record<string, string>;
  /** Ends it. */
  close(): Promise<void>;
}

/**
 * Serves the package that is published, on the loopback interface. As JSR does,
 * it puts addresses for the names of the packages that skein depends on.
 */
export async function serveRegistry(): Promise<Registry> {
  const dist = await builtPackage();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answer(request, dist),
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const { exports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", dist)),
  );
  const imports = Object.entries<string>(exports).map(([name, path]) => [
    config.name + name.slice(1),
    `${origin}/${path.slice(2)}`,
  ]);
  return {
    origin,
    imports: Object.fromEntries(imports),
    close: () => server.shutdown(),
  };
}

let built: Promise<URL> | undefined;

/** Where the package is, which is built once; only to be read. */
export function builtPackage(): Promise<URL> {
  return built ??= (async () => {
    const path = await Deno.makeTempDir({ prefix: "skein-registry-" });
    addEventListener("unload", () => {
      Deno.removeSync(path, { recursive: true });
    });
    const dist = new URL(`file://${path}/`);
    await build(dist);
    return dist;
  })();
}

const TYPES: Record<string, string> = {
  js: "text/javascript",
  json: "application/json",
  ts: "application/typescript",
};

async function answer(request: Request, dist: URL): Promise<Response> {
  const { pathname, origin } = new URL(request.url);
  try {
    const text = await Deno.readTextFile(new URL(`.${pathname}`, dist));
    return new Response(withAddresses(text, origin, dist), {
      headers: { "content-type": TYPES[pathname.replace(/.*\./, "")] },
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return missing();
    throw error;
  }
}

function missing(): Response {
  return new Response("not published", { status: 404 });
}

/** A module whose imports of `@std/…` are addresses of this server. */
function withAddresses(text: string, origin: string, dist: URL): string {
  return text.replace(
    /^((?:import|export) .*from )"(@std\/[^"]+)";$/gm,
    (_, head, name) => `${head}"${origin}/${addressOf(name, dist)}";`,
  ).replace(
    /\bimport\("([a-z-]+)"\)/g,
    (_, name: keyof typeof config.imports) =>
      `import("${config.imports[name]}")`,
  );
}

/** The file of a vendored package that a name stands for. */
function addressOf(name: string, dist: URL): string {
  const [, folder, entry] = /^(@std\/[^/]+)(.*)$/.exec(name)!;
  const url = new URL(`vendor/${folder}/deno.json`, dist);
  const { exports } = JSON.parse(Deno.readTextFileSync(url));
  return `vendor/${folder}/${exports[`.${entry}`].slice(2)}`;
}
