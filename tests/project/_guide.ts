const ROOT = new URL("../../", import.meta.url);

/** A code block of a page. */
export interface Block {
  /** What stands behind the three marks: `ts ignore`. */
  info: string;
  text: string;
  /** The line on which it begins. */
  line: number;
  /** The text between the block before it and this one. */
  before: string;
}

/** A program of a page, in a file of its own, and what it must print. */
export interface Program {
  page: string;
  line: number;
  /** The arguments of `deno`, as its first line says, or the usual ones. */
  args: string[];
  /** The program and the named files above it, by their names. */
  files: Map<string, string>;
  output: string;
}

/** The first line of a block that is a file of that name. */
const NAMED = /^\/\/ ([\w/]+\.tsx?)\n/;
/** The first line of a program that says how to run it. */
const COMMAND = /^\/\/ deno ((?:run|test) .*)\n/;

/** What is not the project's own, or made from it. */
const OTHERS = ["node_modules", ".git", ".cache", "api", "dist"];

/** All Markdown files of the project, as paths from its folder. */
export function markdownFiles(): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const { name, ...entry } of Deno.readDirSync(new URL(folder, ROOT))) {
      if (OTHERS.includes(name)) continue;
      if (entry.isDirectory) visit(`${folder}${name}/`);
      else if (name.endsWith(".md")) found.push(folder.slice(2) + name);
    }
  };
  visit("./");
  return found.sort();
}

/** The text of a file of the project. */
export function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** The code blocks of a page. */
export function codeBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let end = 0;
  for (const match of text.matchAll(/^(`{3,})([^`\n]*)\n(.*?)^\1$/gms)) {
    const line = text.slice(0, match.index).split("\n").length;
    blocks.push({
      info: match[2],
      text: match[3],
      line,
      before: text.slice(end, match.index),
    });
    end = match.index + match[0].length;
  }
  return blocks;
}

/** The programs of a page: `ts ignore`, with what they print below them. */
export function programs(page: string): Program[] {
  const found: Program[] = [];
  const files = new Map<string, string>();
  const blocks = codeBlocks(read(page));
  for (const [place, { info, text, line }] of blocks.entries()) {
    if (info !== "ts" && info !== "ts ignore") continue;
    const named = NAMED.exec(text);
    if (named !== null) files.set(named[1], text);
    if (info === "ts") continue;
    const next = blocks[place + 1];
    if (next?.info !== "text" || next.before.trim() !== "") continue;
    const words = COMMAND.exec(text)?.[1].split(" ") ??
      ["run", "--allow-read=.", named?.[1] ?? "main.ts"];
    found.push({
      page,
      line,
      args: words,
      files: new Map([...files, [named?.[1] ?? words.at(-1)!, text]]),
      output: next.text,
    });
  }
  return found;
}

/** The lines of blocks that are programs by their mark and have no output. */
export function withoutOutput(page: string): number[] {
  const run = new Set(programs(page).map(({ line }) => line));
  return codeBlocks(read(page))
    .filter(({ info, text, line }) =>
      info === "ts ignore" && !run.has(line) && !NAMED.test(text)
    )
    .map(({ line }) => line);
}

/**
 * Whether a program printed what stands below it. There, `…` stands for any
 * text within a line, and for any lines if it is alone on one.
 */
export function isPrinted(actual: string, expected: string): boolean {
  const pattern = expected.trimEnd().split("\n").map((line) =>
    line === "…"
      ? "(?:[^\\n]*\\n)*?[^\\n]*"
      : line.trimEnd().split("…").map(RegExp.escape).join("[^\\n]*")
  ).join("\\n");
  const lines = actual.trimEnd().split("\n").map((line) => line.trimEnd());
  return new RegExp(`^${pattern}$`).test(lines.join("\n"));
}

/** The names by which a link can lead to the headings of a page. */
export function anchors(text: string): Set<string> {
  const names = new Set<string>();
  const prose = text.replaceAll(/^(`{3,}).*?^\1$/gms, "");
  for (const [, heading] of prose.matchAll(/^#{1,6} (.+)$/gm)) {
    // As GitHub makes them of the text that is seen.
    const name = heading
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim().toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    let unique = name;
    for (let n = 1; names.has(unique); n++) unique = `${name}-${n}`;
    names.add(unique);
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) {
    names.add(id);
  }
  return names;
}

/** The targets of the links and pictures of a page. */
export function links(text: string): string[] {
  const prose = text
    .replaceAll(/^(`{3,}).*?^\1$/gms, "")
    .replaceAll(/(`+)(?!`).*?\1/gs, "");
  return [
    ...prose.matchAll(/\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)/g),
    ...prose.matchAll(/^\[[^\]]+\]:\s+<?(\S+?)>?$/gm),
    ...prose.matchAll(/(?:href|src|srcset)="([^"]+)"/g),
  ].map(([, target]) => target);
}
