import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);
const EXCLUDED = config.publish.exclude.map((folder) => `${folder}/`);

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
 * Serves what `deno publish` would publish, on the loopback interface. As JSR
 * does, it puts addresses for the names of the packages that skein depends on.
 */
export function serveRegistry(): Registry {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    answer,
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const imports = Object.entries(config.exports).map(([name, path]) => [
    config.name + name.slice(1),
    `${origin}/${path.slice(2)}`,
  ]);
  return {
    origin,
    imports: Object.fromEntries(imports),
    close: () => server.shutdown(),
  };
}

async function answer(request: Request): Promise<Response> {
  const { pathname, origin } = new URL(request.url);
  const path = pathname.slice(1);
  if (EXCLUDED.some((folder) => path.startsWith(folder))) return missing();
  try {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    const type = path.endsWith(".json") ? "json" : "typescript";
    return new Response(withAddresses(text, origin), {
      headers: { "content-type": `application/${type}` },
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
function withAddresses(text: string, origin: string): string {
  return text.replace(
    /^((?:import|export) .*from )"(@std\/[^"]+)";$/gm,
    (_, head, name) => `${head}"${origin}/${addressOf(name)}";`,
  ).replace(
    /\bimport\("([a-z-]+)"\)/g,
    (_, name: keyof typeof config.imports) =>
      `import("${config.imports[name]}")`,
  );
}

/** The file of a vendored package that a name stands for. */
function addressOf(name: string): string {
  const [, folder, entry] = /^(@std\/[^/]+)(.*)$/.exec(name)!;
  const url = new URL(`vendor/${folder}/deno.json`, ROOT);
  const { exports } = JSON.parse(Deno.readTextFileSync(url));
  return `vendor/${folder}/${exports[`.${entry}`].slice(2)}`;
}
