// Has Node load the tests as they are: with `--import`, in each worker as well.
// What the tests need of Deno is put before their first line.
import { registerHooks } from "node:module";

const tests = new URL("../", import.meta.url).href;
const vendor = new URL("../../vendor/", import.meta.url).href;
const root = new URL("../../", import.meta.url).href;
/** The folder with the package that `vendor` stands on. */
const packages = new URL("../../.cache/node/", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith("@std/")) {
      const [, name, path = "mod"] = specifier.split("/");
      return next(`${vendor}@std/${name}/${path}.ts`, context);
    }
    if (specifier.startsWith("@skein/std")) {
      const path = specifier.slice("@skein/std".length);
      return next(`${root}${path.slice(1)}${path && "/"}mod.ts`, context);
    }
    if (specifier.startsWith("npm:")) {
      const path = specifier.slice(4).replace(/@[\d.^~]+/, "");
      return next(path, { ...context, parentURL: packages });
    }
    return next(specifier, context);
  },
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.startsWith(tests) || url.startsWith(`${tests}node/`)) {
      return loaded;
    }
    const { source } = loaded;
    if (source === undefined || source === null) return loaded;
    const face = `${tests}node/deno.mjs`;
    return {
      ...loaded,
      source: `import { Deno } from ${JSON.stringify(face)}; ${source}`,
    };
  },
});
