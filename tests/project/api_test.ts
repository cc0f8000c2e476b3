// The API documentation as `deno task docs` builds it: links, search, and how
// its pages look in Chromium.
import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { runDeno } from "../threading/run_program.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The names of the parts. */
const PARTS = Object.keys(config.exports)
  .filter((name) => name !== ".")
  .map((name) => name.slice(2));

const folder = await Deno.makeTempDir({ dir: "/tmp" });
globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
});

const built = await runDeno([
  "run",
  "--no-prompt",
  `--allow-read=${ROOT},${folder}`,
  `--allow-write=${folder}`,
  "--allow-run=deno",
  "--cached-only",
  `${ROOT}docs/_api/build.ts`,
  folder,
]);

function* filesIn(inside = ""): Generator<string> {
  for (const entry of Deno.readDirSync(`${folder}/${inside}`)) {
    if (entry.isDirectory) yield* filesIn(`${inside}${entry.name}/`);
    else yield inside + entry.name;
  }
}

const files = new Set(filesIn());
const pages = new Map(
  [...files].filter((name) => name.endsWith(".html"))
    .map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)]),
);

/** HTML as it was before it was written down. */
function plain(text: string): string {
  return text.replaceAll("&#x2F;", "/").replaceAll("&#x27;", "'")
    .replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** A symbol, or a member of one, and its page. */
interface Found {
  name: string;
  url: string;
}

/** What the search knows. */
function searchIndex(): Found[] {
  const text = Deno.readTextFileSync(`${folder}/search_index.js`);
  const [begin, end] = [text.indexOf('{"kind"'), text.lastIndexOf("]}") + 2];
  return JSON.parse(text.slice(begin, end)).nodes;
}

/** What `deno doc` says of all parts. */
async function documented(): Promise<string> {
  const { code, stdout, stderr } = await runDeno(
    [
      "doc",
      "--json",
      ...PARTS.map((name) => config.exports[`./${name}` as "."]),
    ],
    { cwd: ROOT },
  );
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("API documentation: it is built, for every part", () => {
  assertEquals(built.code, 0, built.stderr);
  for (const name of PARTS) assert(pages.has(`${name}/index.html`), name);
});

Deno.test("API documentation: every link between its pages leads somewhere", () => {
  const broken: string[] = [];
  for (const [page, html] of pages) {
    for (const [, link] of html.matchAll(/\b(?:href|src)="([^"]*)"/g)) {
      const target = plain(link);
      if (/^[a-z]+:/.test(target)) continue;
      const url = new URL(target, `file:///${page}`);
      const path = decodeURIComponent(url.pathname.slice(1));
      const id = decodeURIComponent(url.hash.slice(1));
      const isThere = files.has(path) &&
        (id === "" || plain(pages.get(path) ?? "").includes(` id="${id}"`));
      if (!isThere) broken.push(`${page}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("API documentation: every link of a doc comment is one there", async () => {
  const all = [...pages.values()].join("\n");
  const linked = new Set(
    all.matchAll(/<a href="[^"]*"[^>]*>(?:<code>)?([^<]*)/g)
      .map(([, text]) => plain(text)),
  );
  const links = (await documented()).matchAll(
    /\{@link(?:code|plain)? ([^\s}|]+)(?:[\s|]+([^}]*))?\}/g,
  );
  const missing = links.map(([, name, text]) => text ?? name)
    .filter((text) => !linked.has(text));
  assertEquals([...new Set(missing)], []);
  assert(!all.includes("{@link"));
});

Deno.test("API documentation: the search knows every symbol", async () => {
  const { nodes } = JSON.parse(await documented());
  // What two parts export has a page in one of them.
  const known = new Set(searchIndex().map(({ name }) => name));
  const missing: string[] = [];
  let count = 0;
  for (const [module, { symbols }] of Object.entries<Documented>(nodes)) {
    const part = PARTS.find((name) => module.endsWith(`/${name}/mod.ts`));
    for (const { name } of symbols) {
      count++;
      if (!known.has(name)) missing.push(`${part}: ${name}`);
    }
  }
  assert(count > 200, String(count));
  assertEquals(missing, []);
});

/** What is read of the output of `deno doc`. */
interface Documented {
  symbols: Array<{ name: string }>;
}

const CHROMIUM = "chromium";

async function hasChromium(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(CHROMIUM, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Pages of every kind; the first three are 0, 1 and 2 folders deep. */
const LOOKED_AT = [
  "index.html",
  "threading/index.html",
  "queue/~/Queue.html",
  "process/index.html",
  "all_symbols.html",
  "pool/~/TaskOptions.html",
  "pool/~/TaskArguments.html",
  "process/~/run.html",
  "process/~/Pipeline.prototype.text.html",
  "signal/~/Signals.html",
  "testing/index.html",
  "threading/~/Thread.html",
  "threading/~/TIMEOUT_MAX.html",
];

const isThere = await hasChromium();

Deno.test({
  name:
    `API documentation: Chromium finds each symbol, on pages that are easy to read${
      isThere ? "" : " (chromium is not installed)"
    }`,
  ignore: !isThere,
  async fn() {
    const given = JSON.stringify({
      pages: LOOKED_AT,
      symbols: searchIndex(),
      widths: [1280, 400],
    }).replaceAll("<", "\\u003c");
    const script = await Deno.readTextFile(
      new URL("./_api_page.js", import.meta.url),
    );
    await Deno.writeTextFile(
      `${folder}/look.html`,
      `<body><script id="given" type="application/json">${given}</script>
<script type="module">${script}</script></body>`,
    );
    const { stdout, stderr } = await new Deno.Command(CHROMIUM, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--virtual-time-budget=600000",
        `--user-data-dir=${folder}/.chromium`,
        "--dump-dom",
        `file://${folder}/look.html`,
      ],
    }).output();
    const dom = new TextDecoder().decode(stdout);
    const out = /<pre id="found">(.*?)<\/pre>/s.exec(dom);
    assert(out, new TextDecoder().decode(stderr));
    assertEquals(JSON.parse(plain(out[1])), { found: [] });
  },
});
