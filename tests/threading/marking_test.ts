import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { SimpleQueue } from "../../queue/mod.ts";
import { isUnderMain, privateNameOf } from "../../threading/_codec/sendable.ts";
import {
  NotSendableError,
  sendable,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import * as marked from "./marking_fixture.ts";
import { compile, fixture, runDeno } from "./run_program.ts";

const timeout = 30_000;

Deno.test("sendable() knows functions and classes without a name", async () => {
  const { double, same, other, helped, alsoHelped, Anonymous, Inside } = marked;
  const thread = new Thread({ target: double, args: [21] });
  thread.start();
  assertEquals(await thread.join({ timeout }), 42);
  const [queue, back] = [
    new SimpleQueue<unknown>(),
    new SimpleQueue<unknown[]>(),
  ];
  const bouncer = new Thread({ target: marked.bounce, args: [queue, back] });
  bouncer.start();
  for (
    const [sent, result] of [
      [same[0], "same"],
      [same[1], "same"],
      [other[0], "same"],
      [helped, "helped x"],
      [alsoHelped, "also helped"],
      [Anonymous, undefined],
      [Inside, undefined],
    ]
  ) {
    queue.putSync(sent);
    const got = back.getSync({ timeout });
    assertStrictEquals(got[0], sent);
    assertEquals(got[1], result);
  }
  queue.putSync(new Anonymous());
  const [copy] = back.getSync({ timeout }) as [InstanceType<typeof Anonymous>];
  assertInstanceOf(copy, Anonymous);
  assertEquals(copy.hello(), "hello anonymous");
  queue.putSync(undefined);
  await bouncer.join({ timeout });
});

Deno.test("sendable() refuses two without a name that are the same", () => {
  assertThrows(
    marked.markTwice,
    ThreadingError,
    "another one in this place, give each a name",
  );
});

Deno.test("sendable() knows them in minified code, too", async () => {
  const path = `${await Deno.makeTempDir({ dir: "/tmp" })}/program.js`;
  const skein = import.meta.resolve("../../threading/mod.ts");
  await Deno.writeTextFile(
    path,
    `import{sendable as s,Thread as T}from"${skein}";` +
      `const m=import.meta,a=s(m,e=>e+1),b=s(m,e=>e+1),c=s(m,e=>e+2);` +
      `if(m.main){for(const target of[a,b,c]){const t=new T({target,args:[1]});` +
      `t.start();console.log(await t.join())}}`,
  );
  const { stdout, stderr } = await runDeno(["run", "-A", "--no-check", path]);
  assertEquals(stdout, "2\n2\n3\n", stderr);
  await Deno.remove(path);
});

const EXPECTED = [
  "top -> top",
  "helper -> helper",
  "both -> both",
  "afterAwait -> after await",
  "static -> static",
  "afterText -> 23",
  "inIf NotSendableError under",
  "inIfDirectly NotSendableError under",
  "inFunction NotSendableError under",
  "inAsync NotSendableError under",
  "inAsyncLater NotSendableError inside",
  "",
].join("\n");

Deno.test("Thread.start() refuses what is marked where no other thread does", async () => {
  const program = fixture("marking_program.ts");
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    program,
  ]);
  assertEquals(stdout, EXPECTED, stderr);
});

Deno.test("Thread.start() says where a mark belongs", () => {
  const late = marked.markLate();
  for (
    const options of [{ target: late }, { target: marked.helped, args: [late] }]
  ) {
    const thread = new Thread(options as { target: typeof late });
    const { message } = assertThrows(() => thread.start(), NotSendableError);
    assert(message.startsWith("Cannot start the thread"), message);
    assert(message.includes("mark it at the top level"), message);
  }
  // In one thread it can be sent.
  const queue = new SimpleQueue<unknown>();
  queue.putSync(late);
  assertStrictEquals(queue.getSync(), late);
  const made = marked.Made.make();
  assertThrows(
    () => new Thread({ target: marked.helped, args: [made as string] }).start(),
    NotSendableError,
    "MadeLater is marked inside a function",
  );
});

Deno.test("isUnderMain() finds the condition around a place", () => {
  const under = (source: string) => {
    const lines = source.slice(0, source.indexOf("@")).split("\n");
    return isUnderMain(source, lines.length, lines.at(-1)!.length + 1);
  };
  for (
    const source of [
      "if (import.meta.main) { @ }",
      "if(import.meta.main){@}",
      "if (import.meta.main && x) {\n  for (;;) {\n @ } }",
      "if (import.meta.main) @main();",
      "if (import.meta.main) await @main();",
      "if (import.meta.main) app.@main();",
      "const q = `${'}'}{`; const r = /[/}{'\"]/g; if (import.meta.main) { @ }",
      "const a = 1 / 2; const b = `a${`b${1}`}` / 3; if (import.meta.main) {@}",
    ]
  ) assert(under(source), source);
  for (
    const source of [
      "@",
      "if (!import.meta.main) { @ }",
      "if (import.meta.main || x) { @ }",
      "if (import.meta.main) { } @",
      "if (import.meta.main) { } else { @ }",
      "if (import.meta.main) main();\n@",
      "// if (import.meta.main) {\n@",
      "/* if (import.meta.main) { */ @",
      '"if (import.meta.main) {"; @',
      "`if (import.meta.main) {`; @",
      "/if (import.meta.main) {/; @",
      "`${(() => { if (import.meta.main) { } return `}`; })()}`; @",
      "unclosed ' @",
    ]
  ) assert(!under(source), source);
});

Deno.test("sendable() refuses a class whose instances have #private parts", () => {
  class Base {
    static #count = 0;
    static #next() {
      return ++Base.#count;
    }
    static next = () => Base.#next();
  }
  class Sealed extends Base {
    readonly #secret = 1;
    get value() {
      return this.#secret;
    }
  }
  const { message } = assertThrows(
    () =>
      class Derived extends Sealed {
        static {
          sendable(import.meta, this);
        }
      },
    TypeError,
  );
  assertEquals(
    message,
    "Cannot mark as sendable: the class Derived has #secret, which its " +
      "instances lose on the way to another thread; write TypeScript's " +
      "private instead, received #secret",
  );
  sendable(import.meta, Base);
  // What the platform has inside is its own affair.
  sendable(import.meta, class extends Blob {});
});

Deno.test("privateNameOf() finds what instances have, and nothing else", () => {
  // The texts as they are, whatever the formatter would make of them.
  const nameIn = (text: string) =>
    privateNameOf(Reflect.construct(Function, [`return ${text}`])());
  for (
    const [text, name] of [
      ["class { #a }", "#a"],
      ["class { #a = 1; }", "#a"],
      ["class { x = 1; #a; y }", "#a"],
      ["class { x = 1\n #a\n y }", "#a"],
      ["class { x = this.y()\n\n  /* long */ // comment\n #a = 2 }", "#a"],
      ["class { #a() {} }", "#a"],
      ["class { async #a() {} }", "#a"],
      ["class { async *#a() {} }", "#a"],
      ["class { *#a() {} }", "#a"],
      ["class { get #a() { return 1 } }", "#a"],
      ["class { m() {} #a }", "#a"],
      ["class { static { } #a }", "#a"],
      ["class { static #s = 1; #a }", "#a"],
      ["class extends (class { m() { return {} } }) { #a }", "#a"],
      ["class { x = '#b'; y = /#c/; z = `#d`; #a }", "#a"],
      ["class { static has(o) { return #ä in o } #ä }", "#ä"],
    ]
  ) assertEquals(nameIn(text), name, text);
  for (
    const text of [
      "class { a }",
      "class { static #a = 1; x = 1 }",
      "class { static async #a() {} }",
      "class { static get #a() { return 1 } }",
      "class { '#a' = 1 }",
      "class { ['#a'] = 1 }",
      "class { x = '#a'; y = \"#a\"; z = `#a ${'#b'} #c` }",
      "class { x = `${1} ; #a` }",
      "class { x = /;#a/ }",
      "class { // ; #a\n x }",
      "class { /* ; #a */ x }",
      "class { m() { return '; #a' } }",
      "class { static x = class { #a } }",
      "class { m() { return class { #a } } }",
      "function () { return class { #a } }",
      "() => class { #a }",
    ]
  ) assertEquals(nameIn(text), undefined, text);
});

const directory = Deno.makeTempDirSync({ dir: "/tmp" });
const compiled = await compile(
  (...args) => runDeno(args),
  `${directory}/program`,
  ["--no-check", "--allow-all", fixture("marking_program.ts")],
);
Deno.removeSync(directory, { recursive: true });

Deno.test({
  name: `sendable() knows them in a compiled program${compiled.reason}`,
  ignore: compiled.ignore,
  fn() {
    const lines = compiled.stdout.split("\n").slice(0, 6);
    assertEquals(lines, EXPECTED.split("\n").slice(0, 6), compiled.stderr);
  },
});
