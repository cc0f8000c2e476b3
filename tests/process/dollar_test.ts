import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import {
  $,
  CommandError,
  Pipeline,
  pipeline,
  quote,
  run,
  ShellCommand,
  type ShellValue,
} from "../../process/mod.ts";

const SEED = Number(Deno.env.get("SKEIN_SEED") ?? Date.now() % 1_000_000);
const STRESS = Number(Deno.env.get("SKEIN_STRESS") ?? 1);

/** A generator of numbers below 1 that can be repeated (mulberry32). */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A command of a text that is made while the program runs. */
function commandOf(parts: string[], ...values: ShellValue[]): ShellCommand {
  return $(Object.assign(parts, { raw: parts }), ...values);
}

const SPECIAL = [
  ..." '\"\\\n\t$`;&|<>(){}*?[]~!#-=%é€😀\x01\x7f\x81\x88\r",
  ..."aZ0",
  "$(id)",
  "${HOME}",
  "$'",
  "\\\n",
  "-n",
  "--",
  "if",
  "a=b",
  "EOF",
];

function word(random: () => number): string {
  const length = Math.floor(random() * random() * 20);
  return Array.from(
    { length },
    () => SPECIAL[Math.floor(random() * SPECIAL.length)],
  ).join("");
}

/** Where values are put in, and what the shell makes of a value there. */
const PLACES: [before: string, after: string, made: (x: string) => string][] = [
  ["", "", (x) => x],
  ["", "b", (x) => `${x}b`],
  ["a=", "", (x) => `a=${x}`],
  ["*", "?", (x) => `*${x}?`],
  ["'", "'", (x) => x],
  ["'a ", "b'c", (x) => `a ${x}bc`],
  ['"', '"', (x) => x],
  ['"a \\" ', " $((1 + 1)) b\"'c'", (x) => `a " ${x} 2 bc`],
];

/** The same, in shells of their own, which take long. */
const SHELLS: typeof PLACES = [
  ['"$(printf %s. ', ')"', (x) => `${x}.`],
  ["\"$( (printf '%s.' '", "') )\"", (x) => `${x}.`],
  ['"$(printf %s "${SKEIN_NONE:-b}', '.")"', (x) => `b${x}.`],
];

test(`$ survives a real shell (SKEIN_SEED=${SEED})`, async () => {
  const random = randomFrom(SEED);
  // SKEIN_STRESS=100 makes a million of it.
  for (let round = 0; round < 10 * STRESS; round++) {
    const parts = ["set -f; printf '%s\\0'"];
    const values: string[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const value = word(random);
      const [before, after, made] = i % 50 === 0
        ? SHELLS[i / 50 % SHELLS.length]
        : PLACES[i % PLACES.length];
      parts.push(`${parts.pop()} ${before}`, after);
      values.push(value);
      expected.push(made(value));
    }
    const text = await commandOf(parts, ...values).text();
    assertEquals(text.split("\0").slice(0, -1), expected);
  }
});

/** Text that may end quotes and places in ways that are hard to follow. */
const TEXT = [
  ..."'\"\\$`(){}[]#\n ;|&<>!=x\t\r",
  "$(",
  "$((",
  "))",
  "${x",
  "${x:-",
  "<<",
  "<(",
  "case x in x)",
  ";; esac",
  "echo ",
  "f() {",
  "\\\n",
  "$'",
  '$"',
  " # ",
  "for x in ",
  "; do ",
  "done",
  "\u00a0",
];

/** Text around a value, which makes a whole with it. */
const AROUND: [before: string, after: string][] = [
  ['"', '"'],
  ["'", "'"],
  ["echo ", "\n"],
  ["echo a", "b; "],
  ["$(", ")"],
  ["$(echo ", ")"],
  ["$( (echo ", ") )"],
  ["(echo ", ")"],
  ["$((", "))"],
  ["((", "))"],
  ["${x:-", "}"],
  ['"${x:-', '}"'],
  ["`echo ", "`"],
  ["$'", "'"],
  ['$"', '"'],
  ["$[", "]"],
  ["<(echo ", ")"],
  ["cat <<EOF\n", "\nEOF\n"],
  ["cat <<'EOF'\n", "\nEOF\n"],
  ["# ", "\n"],
  [":;#", "\n"],
  ["(:)#", "\n"],
  ["case x in x) echo ", ";; esac\n"],
  ["case x in (x) echo ", ";; esac\n"],
  ["$(case x in x) echo ", ";; esac)"],
  ['"$(case x in x) echo ', ';; esac)"'],
  ["$(# it's\necho ", ")"],
  ['"$(# it\'s "\necho ', ')"'],
  ["f() { echo ", "; }\nf\n"],
  ["if echo ", "; then :; fi\n"],
  ["for x in ", "; do echo $x; done\n"],
  ["x=", " echo a\n"],
  ["x=(", ")"],
  [": $\\\n", "\n"],
  ["\\", ""],
  ["$", ""],
];

const WORDS = [
  "'",
  "\\'",
  "it's",
  '"',
  "`",
  ")",
  "}",
  "#",
  "\n",
  "\\",
  "))",
  "EOF\n",
];

function pickFrom<T>(random: () => number, of: readonly T[]): T {
  return of[Math.floor(random() * of.length)];
}

/** The text of a template of which anything may come out. */
function anything(random: () => number): string[] {
  return Array.from(
    { length: 2 + Math.floor(random() * 3) },
    () =>
      Array.from({ length: random() * 6 }, () => pickFrom(random, TEXT)).join(
        "",
      ),
  );
}

/** The text of a template with two values, each somewhere in what makes sense. */
function wholes(random: () => number): string[] {
  const around = Array.from({ length: 2 }, () => {
    let [before, after] = ["", ""];
    for (let depth = 1 + random() * 3; depth > 0; depth--) {
      const [left, right] = pickFrom(random, AROUND);
      before = left + before;
      after += right;
    }
    return [before, after];
  });
  const [[before, middle], [next, after]] = around;
  return [before, middle + next, after];
}

test({
  name: `$ runs nothing of a value, wherever it is put in (SKEIN_SEED=${SEED})`,
  async fn() {
    const random = randomFrom(SEED + 1);
    const pick = <T>(of: readonly T[]) => pickFrom(random, of);
    const folder = await Deno.makeTempDir({ dir: "/tmp" });
    const { status } = await run("command -v bash", { check: false });
    const bash = status === 0 && 'exec bash --posix -c "$TEXT"';
    let accepted = 0;
    for (let i = 0; i < 200 * STRESS; i++) {
      const parts = i % 4 === 0 ? anything(random) : wholes(random);
      const values = parts.slice(1).map(() => {
        const code = pick(["$(>CANARY)", ";>CANARY;", "\n>CANARY\n"]);
        return pick(WORDS) + pick(WORDS) + code + pick(WORDS);
      });
      let command: ShellCommand;
      try {
        command = commandOf(parts, ...values);
      } catch (error) {
        assert(error instanceof TypeError, String(error));
        continue;
      }
      accepted++;
      const options = { cwd: folder, check: false, timeout: 60_000 };
      const { command: text } = await command.with(options);
      if (bash) await run(bash, { ...options, env: { TEXT: text } });
      const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
      assert(!names.includes("CANARY"), JSON.stringify(text));
    }
    // About 25 of 200, give or take four.
    assert(accepted > 5 * STRESS, String(accepted));
    await Deno.remove(folder, { recursive: true });
  },
});

test("$ gives a pipeline that can be awaited", async () => {
  const command = $`echo ${"spam"}; echo eggs >&2`;
  assert(command instanceof Pipeline);
  const { status, stdout, stderr } = await command;
  assertEquals([status, stdout, stderr], [0, "spam\n", "eggs\n"]);
  // Each time it runs again.
  assertEquals((await command).stdout, "spam\n");
  assertEquals(await command.text(), "spam\n");
  assertEquals(command.textSync(), "spam\n");
  assertEquals(await Array.fromAsync(command.lines()), ["spam"]);
  assertEquals([...command.linesSync()], ["spam"]);
  assertEquals(await $`echo ${'{"a": 1}'}`.json(), { a: 1 });
  assertEquals(command.runSync().status, 0);
  assert(!("then" in pipeline(["true"])));
});

test("$ keeps its kind through from(), to() and with()", async () => {
  const sorted = $`sort`.from("b\na\n").with({ env: { LC_ALL: "C" } });
  assert(sorted instanceof ShellCommand);
  assertEquals((await sorted).stdout, "a\nb\n");
  const path = await Deno.makeTempFile({ dir: "/tmp" });
  const { status } = await sorted.to({ path });
  assertEquals([status, await Deno.readTextFile(path)], [0, "a\nb\n"]);
  await Deno.remove(path);
});

test("$ fails as other commands do", async () => {
  const error = await assertRejects(async () => await $`exit 3`, CommandError);
  assertEquals(error.status, 3);
  assertEquals((await $`exit 3`.with({ check: false })).status, 3);
});

test("$ writes values as words", async () => {
  const show = "printf '<%s>'";
  const text = (command: ShellCommand) => command.text();
  const raw = $.raw`${show}`;
  assertEquals(await text($`${raw} ${""} a`), "<><a>");
  assertEquals(await text($`${raw} ${-1.5} ${12n}`), "<-1.5><12>");
  assertEquals(await text($`${raw} ${"-n"} ${"--"}`), "<-n><-->");
  assertEquals(await text($`${raw} ${["a b", 1, ""]}`), "<a b><1><>");
  assertEquals(await text($`${raw} a${["b", "c"]}d`), "<ab><cd>");
  assertEquals(await text($`${raw} a ${[]} b`), "<a><b>");
  assertEquals(await text($`${raw} a ${[]}# b`), "<a>");
});

test("$ quotes also what a shell would take for its own", async () => {
  for (const value of ["if", "a=b", "~", "*", "!", "{a,b}", "#", "a\nb"]) {
    const { stdout, status } = await $`${value}`.with({ check: false });
    assertEquals([stdout, status], ["", 127], value);
  }
  // A number before a > would be a descriptor.
  assertEquals(await $`echo ${1}>&1`.text(), "1\n");
});

test("$ takes values of 100 KB, several of them, in each place", async () => {
  const long = `it's "$x" \`\n\\`.repeat(7000);
  const texts = await Promise.all([
    $`printf %s ${long}`.text(),
    $`printf %s "${long}"`.text(),
    $`printf %s '${long}'`.text(),
    $`printf %s ${[long, long, long]}`.text(),
    $`printf %s "$0 $# $SKEIN_COMMAND$SKEIN_PIECE"${long}`.text(),
    $`printf %s ${long} | cat`.with({ stderr: "merge" }).text(),
    run(`printf %s ${quote(long)}`).then(({ stdout }) => stdout),
    Promise.resolve($`printf %s ${long}`.textSync()),
  ]);
  texts[3] = texts[3].slice(2 * long.length);
  texts[4] = texts[4].replace("/bin/sh 0 ", "");
  for (const text of texts) assert(text === long);
  const emoji = "😀".repeat(60_000);
  assert(await $`printf %s a${emoji}`.text() === `a${emoji}`);
  // Between stages, too.
  const counted = await pipeline(`printf %s '${emoji}'`, ["wc", "-c"]).text();
  assertEquals(Number(counted), 240_000);
});

test("$ puts commands into commands", async () => {
  const word = "it's";
  const inner = $`printf '%s\\n' ${word} ${"a b"}`;
  assertEquals(await $`${inner} | sort`.text(), "a b\nit's\n");
  assertEquals(await $`printf %s "$(${inner})"`.text(), "it's\na b");
  const sorted = pipeline(["sort", "-r"], ["head", "-n", "1"]);
  assertEquals(await $`${inner} | ${sorted}`.text(), "it's\n");
  const place = $.with({ cwd: "/tmp" });
  assertEquals(await place`${place`pwd`}`.text(), "/tmp\n");
  for (
    const own of [
      inner.from("a"),
      inner.to("null"),
      inner.with({ cwd: "/" }),
      pipeline({ cmd: "pwd", cwd: "/" }),
    ]
  ) assertThrows(() => $`${own}`, TypeError, "options of its own");
  assertThrows(() => $`echo "${inner}"`, TypeError, "use $(…)");
});

test("$ puts in what a command wrote", async () => {
  const result = await $`echo "a  b"; echo`;
  assertEquals(
    await $`printf '<%s>' ${result} "${result}"`.text(),
    "<a  b><a  b>",
  );
});

test("$.raw quotes nothing", async () => {
  assertEquals(await $.raw`echo ${"a  b"} ${["c", 1]}`.text(), "a b c 1\n");
  assertEquals(await $`echo ${$.raw("$((1 + 1)) '*'")}`.text(), "2 *\n");
  const sum = $.raw`$((1 + ${1}))`;
  assertEquals(await $`echo ${sum} ${"*"}`.text(), "2 *\n");
});

test("$.with() gives options to its commands", async () => {
  const there = $.with({ cwd: "/tmp" }).with({ env: { NAME: "spam" } });
  assertEquals(await there`pwd; echo $NAME`.text(), "/tmp\nspam\n");
  assertEquals((await there.raw`pwd`).stdout, "/tmp\n");
  const quiet = $.with({ check: false });
  assertEquals((await quiet`exit 3`).status, 3);
});

test("$ refuses what cannot be put in", () => {
  const bad: unknown[] = [
    undefined,
    null,
    true,
    {},
    () => {},
    Symbol("a"),
    ["a", undefined],
    ["a", ["b"]],
    Promise.resolve("a"),
  ];
  for (const value of bad) {
    assertThrows(
      () => $`echo ${value as string}`,
      TypeError,
      "a value must be",
    );
    assertThrows(() => $.raw`${value as string}`, TypeError, "a value must be");
  }
  assertThrows(() => $`echo ${"a\0b"}`, TypeError, "NUL");
  assertThrows(() => $`echo ${["a\0b"]}`, TypeError, "NUL");
  assertThrows(() => $.raw`echo ${"a\0b"}`, TypeError, "NUL");
  assertThrows(() => $`a\0b`, TypeError, "NUL");
  assertThrows(() => $("ls" as never), TypeError, "a template");
  assertThrows(() => $(undefined as never), TypeError, "a template");
  assertThrows(() => $(["ls"] as never), TypeError, "a template");
});

test("$ refuses values where a shell would take them apart", () => {
  const x = "x";
  const refused: (() => unknown)[] = [
    () => $`echo \\${x}`,
    () => $`echo $${x}`,
    () => $`echo "$${x}"`,
    () => $`echo \`echo ${x}\``,
    () => $`echo "\`echo ${x}\`"`,
    () => $`echo \${a:-${x}}`,
    () => $`echo "\${a:-${x}}"`,
    () => $`echo $((1 + ${x}))`,
    () => $`echo $[${x}]`,
    () => $`((${x}))`,
    () => $`ls # ${x}`,
    () => $`ls;# ${x}`,
    () => $`(ls)# ${x}`,
    () => $`cat <<EOF\n${x}\nEOF`,
    () => $`cat <<${x}`,
    () => $`cat <(${x})`,
    () => $`echo $'a ${x}'`,
    () => $`echo "$(case a in a) ${x};; esac)"`,
    () => $`echo "${[x]}"`,
    () => $`echo '${[x]}'`,
    () => $`echo > ${[x, x]}`,
    () => $`echo >>${[]}`,
  ];
  for (const call of refused) {
    assertThrows(call, TypeError, "cannot stand", String(call));
  }
  const taken: (() => unknown)[] = [
    () => $`echo a#${x}`,
    () => $`echo "#${x}" $# ${x}`,
    () => $`# a comment's\necho ${x}`,
    () => $`echo $(echo \${a} $((1 << 2)) ${x})`,
    () => $`case a in a) echo ${x};; esac`,
    () => $`f () { echo ${x}; }`,
    () => $`(cd /; (ls ${x})) > ${x} 2>&1`,
    () => $`echo \`ls\` ${x} > ${[x]}`,
    () => $`echo \\\\${x}`,
  ];
  for (const call of taken) call();
});
