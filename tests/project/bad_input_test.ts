import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async/deadline";
import * as skein from "../../mod.ts";
import { runDeno } from "../threading/run_program.ts";
import { ARGUMENTS, HARMLESS, OBJECTS } from "./bad_input/freed_table.ts";
import { endAll, processTable } from "./bad_input/process_table.ts";
import { poolTable } from "./bad_input/pool_table.ts";
import { queueTable } from "./bad_input/queue_table.ts";
import { signalTable } from "./bad_input/signal_table.ts";
import { ERRORS, type Row, type Table } from "./bad_input/table.ts";
import { threadingTable } from "./bad_input/threading_table.ts";

const TABLE: Table = {
  ...threadingTable,
  ...queueTable,
  ...poolTable,
  ...processTable,
  ...signalTable,
};

/** What takes nothing that could be wrong. */
const SAFE = new Set(
  `activeCount allocateLock checkCancelled currentTask currentThread defaultIntHandler enumerate
  exit fork getIdent getpid getppid interruptMain isTimeout mainThread threadStates
  validSignals BrokenBarrierError DeadlockError CommandError CommandResult Empty Full
  HeapExhaustedError NotSendableError OwnerDiedError ShutDown SignalInterrupt
  ThreadingError`.split(/\s+/),
);

/** A name that a stranger sees: no hook, nothing of JavaScript itself. */
const PUBLIC = /^(?!constructor$)[a-z]/i;

/** What a call throws, at once or as a rejection. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    return await deadline(Promise.resolve(call()), 5000);
  } catch (error) {
    return error;
  }
}

/** The calls of a row that do not fail as they should. */
async function complaints(row: Row): Promise<string[]> {
  const found: string[] = [];
  for (const [name, calls] of Object.entries(row)) {
    const expected = ERRORS[name as keyof typeof ERRORS];
    for (const [i, call] of calls.entries()) {
      const error = await failureOf(call);
      const isRight = error instanceof expected &&
        // That of a command shows the command instead.
        (expected === skein.CommandError ||
          /^Cannot .+: /s.test(error.message));
      if (!isRight) found.push(`${name} ${i}, ${call}, gave ${error}`);
    }
  }
  return found;
}

await endAll();
for (const [name, row] of Object.entries(TABLE)) {
  Deno.test(`${name} refuses bad input`, async () => {
    assertEquals(await complaints(row), []);
  });
}

/** The names of the methods of a class, with those it inherits. */
function methodsOf(prototype: object): string[] {
  const names: string[] = [];
  for (let at = prototype; at !== Object.prototype;) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, name)!;
      if (typeof value === "function" && PUBLIC.test(name)) names.push(name);
    }
    at = Object.getPrototypeOf(at);
  }
  return names;
}

const CLASSES = Object.values(skein).filter((
  value,
): value is { name: string; prototype: object } & typeof value =>
  typeof value === "function" && /^class\b/.test(String(value))
);

Deno.test("bad input is tried on every public function and class", () => {
  for (const [name, value] of Object.entries(skein)) {
    if (typeof value !== "function" || SAFE.has(name)) continue;
    const rows = Object.keys(TABLE).filter((row) =>
      row === name || row === `new ${name}` || row.startsWith(`${name}.`)
    );
    assert(rows.length > 0 || name in OBJECTS, `nothing tries ${name}`);
  }
});

Deno.test("bad input is tried on every method that takes something", () => {
  for (const { name, prototype } of CLASSES) {
    for (const method of Object.getOwnPropertyNames(prototype)) {
      const { value } = Object.getOwnPropertyDescriptor(prototype, method)!;
      // What has only arguments with defaults is in the table if need be.
      if (typeof value !== "function" || value.length === 0) continue;
      if (!PUBLIC.test(method)) continue;
      const row = `${name}.${method}`;
      assert(row in TABLE || HARMLESS.has(row), `nothing tries ${row}`);
    }
  }
});

for (const [name, make] of Object.entries(OBJECTS)) {
  Deno.test(`${name} refuses everything after free()`, async () => {
    const prototype = Object.getPrototypeOf(make());
    for (const method of methodsOf(prototype)) {
      if (HARMLESS.has(`${name}.${method}`)) continue;
      const object = make();
      object.free();
      const call = (object as unknown as Record<string, () => unknown>)[method];
      const args = ARGUMENTS[`${name}.${method}`] ?? ARGUMENTS[method] ?? [];
      const error = await failureOf(() => {
        const result = Reflect.apply(call, object, args);
        // A generator fails when it is asked for the first item.
        return method === "keys" || method === "values" || method === "entries"
          ? [...result as Iterable<unknown>]
          : result;
      });
      assert(error instanceof skein.ThreadingError, `${method}: ${error}`);
      assertMatch(error.message, /^Cannot .*free\(\)/, method);
    }
  });
}

Deno.test("free() is tried on every class of shared objects", () => {
  for (const { name, prototype } of CLASSES) {
    if ("free" in prototype) assert(name in OBJECTS, name);
  }
});

Deno.test("what needs a permission says so at the call", async () => {
  const program = new URL(
    "bad_input/permissions_program.ts",
    import.meta.url,
  ).pathname;
  const { stdout, stderr } = await runDeno([
    "run",
    "--no-prompt",
    "--no-check",
    program,
  ]);
  const lines = stdout.trimEnd().split("\n");
  assert(lines.length > 20, stderr);
  assertEquals(lines.filter((line) => !line.endsWith(": NotCapable")), []);
});
