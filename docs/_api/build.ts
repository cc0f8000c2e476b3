// Builds the API documentation into a folder: deno task docs [folder]. It needs
// no network, neither here nor where the pages are read.
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

/** The parts; `.` is left out, since it has nothing that they have not. */
const PARTS = Object.entries(config.exports)
  .filter(([name]) => name !== ".")
  .map(([name, path]) => ({ name: name.slice(2), path }));

/** All pages under a folder, as relative paths. */
function* pages(folder: string, inside = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${inside}`)) {
    if (isDirectory) yield* pages(folder, `${inside}${name}/`);
    else if (name.endsWith(".html")) yield inside + name;
  }
}

/** The first paragraph of a part, as HTML without links. */
function firstParagraph(html: string): string {
  const doc = html.slice(html.indexOf('id="module_doc"'));
  return (/<p>(.*?):?<\/p>/s.exec(doc)?.[1] ?? "").replaceAll(
    /<\/?a\b[^>]*>/g,
    "",
  );
}

/** What stands on the first page: the parts, and where they lead. */
function overview(folder: string): string {
  const items = PARTS.map(({ name }) => {
    const page = `${name}/index.html`;
    const text = firstParagraph(Deno.readTextFileSync(`${folder}/${page}`));
    return `<li><a href="${page}">${config.name}/${name}</a>: ${text}</li>`;
  });
  return `<main><div class="markdown"><h1>${config.name} ${config.version}</h1>
<p>Threads, queues, pools, processes and signals for TypeScript on Deno.</p>
<ul>${items.join("\n")}</ul>
<p><code>${config.name}</code> has all of them but cluster, testing and trace.</p>
</div></main>`;
}

/**
 * What is wrong in a page: its part is called by the name of its folder, links to
 * folders work on servers only, those to members are none, and some lead nowhere.
 */
function mended(html: string, page: string, all: ReadonlySet<string>): string {
  const ids = new Set(html.matchAll(/\bid="([^"]*)"/g).map(([, id]) => id));
  const part = page.slice(0, page.indexOf("/") + 1);
  const here = page.includes("/~/") ? "" : "~/";
  const self = /~\/([^/]+?)(?:\.prototype.*)?\.html$/.exec(page)?.[1];
  const member = (path: string) => {
    const [owner, name] = path.includes(".") ? path.split(".") : [self, path];
    const file = `${owner}.prototype.${name}.html`;
    return part !== "" && all.has(`${part}~/${file}`) ? here + file : undefined;
  };
  return html
    .replaceAll(
      /(import [^<&]*? from &quot;)([a-z]+)(?=&quot;;)/g,
      `$1${config.name}/$2`,
    )
    .replaceAll(/href="((?:\.\.?(?:\/|&#x2F;))+)"/g, 'href="$1index.html"')
    .replaceAll(
      /href="#([^"]*)"/g,
      (link, id) => ids.has(id) ? link : "",
    )
    .replaceAll(
      /(?<!<a [^>]*>)<code>([\w$]+(?:\.[\w$]+)?)(?:\(\))?<\/code>/g,
      (code, path) => {
        const file = member(path);
        return file === undefined ? code : `<a href="${file}">${code}</a>`;
      },
    );
}

/** Search finds pages by their way from the one that is open, at any depth. */
function mendSearch(folder: string): void {
  const search = `${folder}/search.js`;
  const script = Deno.readTextFileSync(search);
  const wrong = /const pathToRoot = [^;]*;/;
  if (!wrong.test(script)) {
    throw new Error(`Cannot mend the search: received another ${search}`);
  }
  Deno.writeTextFileSync(
    search,
    script.replace(
      wrong,
      `const pathToRoot = document.querySelector("link[href$='styles.css']")
  .getAttribute("href").slice(0, -"styles.css".length);`,
    ),
  );
  // Members whose names are private symbols have no pages.
  const index = `${folder}/search_index.js`;
  const text = Deno.readTextFileSync(index);
  const [begin, end] = [text.indexOf('{"kind"'), text.lastIndexOf("]}") + 2];
  const { nodes, ...rest } = JSON.parse(text.slice(begin, end));
  const kept = nodes.filter(({ name }: { name: string }) =>
    !name.includes("[")
  );
  Deno.writeTextFileSync(
    index,
    text.slice(0, begin) + JSON.stringify({ ...rest, nodes: kept }) +
      text.slice(end),
  );
}

/** Whether a folder has an earlier documentation in it. */
function isOurs(folder: string): boolean {
  try {
    return Deno.statSync(`${folder}/search_index.js`).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? fileURLToPath(new URL("api", ROOT));
  Deno.mkdirSync(folder, { recursive: true });
  // No page of an earlier time stays; what is not of this program's making does.
  if (isOurs(folder)) {
    for (const { name } of Deno.readDirSync(folder)) {
      Deno.removeSync(`${folder}/${name}`, { recursive: true });
    }
  }
  const { success } = await new Deno.Command("deno", {
    args: [
      "doc",
      "--quiet",
      "--html",
      `--name=${config.name}`,
      `--output=${folder}`,
      ...PARTS.map(({ path }) => path),
    ],
    cwd: ROOT,
    stdout: "null",
  }).output();
  if (!success) Deno.exit(1);
  const all = new Set(pages(folder));
  for (const page of all) {
    const path = `${folder}/${page}`;
    const html = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, mended(html, page, all));
  }
  const first = `${folder}/index.html`;
  Deno.writeTextFileSync(
    first,
    Deno.readTextFileSync(first)
      .replace(/<main>.*?<\/main>/s, () => overview(folder)),
  );
  mendSearch(folder);
  // The last of the style sheets that every page has.
  const style = Deno.readTextFileSync(new URL("style.css", import.meta.url));
  Deno.writeTextFileSync(`${folder}/prism.css`, style, { append: true });
  console.log(`${folder}/index.html`);
}
