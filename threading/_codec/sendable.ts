/**
 * Marked functions and classes: marking them, the names under which they
 * travel (the URL of their module, `#`, and their own name), and loading the
 * modules of those that this thread does not know yet.
 *
 * @module
 */

import {
  isTransformed,
  mainModule,
  readTextSync,
} from "../../_internal/runtime.ts";
import { builtIn, modulePath, pathOfUrl } from "../../_internal/built_in.ts";
import { shown } from "../../_internal/check.ts";
import { isClass, isOfPlatform, nameOf } from "./writer.ts";
import { NotSendableError, ThreadingError } from "../errors.ts";
import { intern, interned } from "../_memory/shared_class.ts";
import * as errors from "../errors.ts";

/** A marked function or class. */
interface SendableEntry {
  /** The module that marks it. */
  readonly url: string;
  /** Its name there. */
  readonly name: string;
  // deno-lint-ignore ban-types
  readonly value: Function;
  /** The stack of the mark, until it was looked at. */
  stack: Stack | undefined;
  /** The number of its name in this process, once it was sent. */
  id: number | undefined;
}

const byValue = new WeakMap<object, SendableEntry>();
const byText = new Map<string, SendableEntry>();
const byId = new Map<number, SendableEntry>();

/**
 * A function or class cannot be decoded as its module is not loaded in this
 * thread and cannot be loaded without waiting. Caught by whoever can wait, or
 * can tell the user.
 */
export class ModuleNotLoaded extends Error {
  override name = "ModuleNotLoaded";

  /**
   * @param url The URL of the module, for `loadModule`.
   * @param cause Why it cannot be loaded without waiting.
   */
  constructor(readonly url: string, cause?: unknown) {
    super(
      `Cannot load a module without waiting for it: received ${url}`,
      { cause },
    );
  }
}

/** Makes `value` known. */
export function register(
  url: string,
  name: string,
  // deno-lint-ignore ban-types
  value: Function,
  stack?: Stack,
): void {
  const text = `${url}#${name}`;
  const known = byText.get(text);
  if (known !== undefined) {
    if (known.value === value) return;
    throw new ThreadingError(
      nameOf(value) === ""
        ? `Cannot mark as sendable: the module ${url} has marked another one ` +
          `in this place, give each a name of its own, received a ${name}`
        : `Cannot mark as sendable: the module ${url} has marked another ` +
          `function or class of this name, received ${name}`,
    );
  }
  const entry = { url, name, value, stack, id: undefined };
  byText.set(text, entry);
  byValue.set(value, entry);
}

/**
 * Marks what is skein's own. Where it stands is not asked: to tell that, V8
 * parses the top level of the module once more, 4 ms for a built one.
 */
export function sendableOwn<T extends SendableFunction | SendableClass>(
  meta: ImportMeta,
  value: T,
): T {
  register(meta.url, nameOf(value), value);
  return value;
}

/** How a marked function or class is named, undefined for any other. */
// deno-lint-ignore ban-types
export function sendableEntry(value: Function): SendableEntry | undefined {
  return byValue.get(value);
}

/** The marked function or class of a module that is loaded. */
export function sendableOf(
  url: string,
  name: string,
): SendableEntry | undefined {
  return byText.get(`${url}#${name}`);
}

/** The number of a marked function or class, undefined for any other. */
// deno-lint-ignore ban-types
export function sendableId(value: Function): number | undefined {
  const entry = byValue.get(value);
  if (entry === undefined) return undefined;
  if (entry.id === undefined) {
    entry.id = intern(`${entry.url}#${entry.name}`);
    byId.set(entry.id, entry);
  }
  return entry.id;
}

/** The marked function or class of that number, if its module is loaded. */
export function knownSendable(id: number): SendableEntry | undefined {
  const known = byId.get(id);
  if (known !== undefined) return known;
  const entry = byText.get(interned(id));
  if (entry !== undefined) {
    entry.id = id;
    byId.set(id, entry);
  }
  return entry;
}

/** The module and the name of a number. */
export function sendableName(id: number): { url: string; name: string } {
  const text = interned(id);
  const end = text.lastIndexOf("#");
  return { url: text.slice(0, end), name: text.slice(end + 1) };
}

for (const value of Object.values(errors)) {
  register(
    import.meta.url,
    nameOf(value),
    value,
  );
}

// Loading the modules of marked functions and classes.

/** The modules that were loaded here: what they do not mark is missing. */
const loaded = new Set<string>();

/**
 * Loads a module unless that needs waiting.
 *
 * @throws {ModuleNotLoaded} If it does, or if loading it fails.
 */
export function loadModuleSync(url: string): void {
  if (loaded.has(url)) return;
  // `require` takes a path, so it would load another instance of a module that
  // has a query.
  if (!/^file:[^?#]*$/.test(url)) throw new ModuleNotLoaded(url);
  // One that marks something already is being loaded, by an `import`.
  const isFresh = marksOf(url).length === 0;
  try {
    // Deno loads ES modules with `require` too, as the same instance as
    // `import`, unless they await something. The `process` object and
    // `node:module` take 30 ms to start, which no other thread should pay.
    builtIn("node:module").createRequire(url)(pathOfUrl(new URL(url)));
  } catch (error) {
    if (isFresh) forgetMarks(url);
    throw new ModuleNotLoaded(url, error);
  }
  loaded.add(url);
}

/**
 * Loads a module.
 *
 * @param url Its URL, from a `ModuleNotLoaded`; what could not be decoded
 * without it can be decoded then.
 * @throws Whatever loading it throws.
 */
export async function loadModule(url: string): Promise<void> {
  try {
    await import(url);
  } catch (error) {
    forgetMarks(url);
    throw error;
  }
  loaded.add(url);
}

/** What a module has marked until now. */
function marksOf(url: string): SendableEntry[] {
  return [...byText.values()].filter((entry) => entry.url === url);
}

/**
 * Forgets what a module marked before it failed. Loading it again fails with
 * the same error; functions of half a module must not run.
 */
function forgetMarks(url: string): void {
  for (const { name, id } of marksOf(url)) {
    byText.delete(`${url}#${name}`);
    if (id !== undefined) byId.delete(id);
  }
}

/**
 * The marked function or class of that number; loads its module if that can
 * be done without waiting.
 *
 * @throws {ModuleNotLoaded} If it cannot.
 * @throws {ThreadingError} If the module does not mark such a thing.
 */
export function loadSendableSync(id: number): SendableEntry {
  const known = knownSendable(id);
  if (known !== undefined) return known;
  const { url, name } = sendableName(id);
  loadModuleSync(url);
  return knownSendable(id) ?? missing(url, name);
}

/**
 * Loads the module of a marked function or class.
 *
 * @param id Its number.
 * @throws {ThreadingError} If the module does not mark such a thing. Whatever
 * loading the module throws comes through.
 */
export async function loadSendable(id: number): Promise<void> {
  if (knownSendable(id) !== undefined) return;
  const { url, name } = sendableName(id);
  await loadModule(url);
  if (knownSendable(id) === undefined) missing(url, name);
}

/**
 * Checks that other threads can find marked functions and classes.
 *
 * @param ids Their numbers.
 * @param what What is being done, for the message.
 * @throws {NotSendableError} If it is certain that they cannot.
 */
export function checkMarks(ids: readonly number[], what: string): void {
  if (!("locks" in navigator)) {
    throw new ThreadingError(
      `Cannot ${what}: this runtime has no navigator.locks, which tell of the ` +
        "end of a worker; use Deno, or Node 24.5 or later",
    );
  }
  for (const id of ids) {
    const entry = knownSendable(id);
    if (entry?.stack === undefined) continue;
    const { url, name, stack } = entry;
    const where = misplacement(stack, url, () => sourceOf(url));
    if (where !== undefined) {
      throw new NotSendableError(
        `Cannot ${what}: ${name} is marked ${where}, which no other thread ` +
          "does when it imports the module; mark it at the top level, " +
          `received ${name} of ${url}`,
      );
    }
    entry.stack = undefined;
  }
}

/**
 * The source text of the program's main module; of others an empty one, and of
 * one whose lines were moved when its types were taken out.
 */
function sourceOf(url: string): string {
  if (isTransformed()) return "";
  try {
    return url === mainModule() ? readTextSync(new URL(url)) : "";
  } catch {
    return "";
  }
}

function missing(url: string, name: string): never {
  throw new ThreadingError(
    `Cannot find a marked function or class: the module ${url} does not mark ` +
      "it when it is imported; mark it at the top level of the module, not in a " +
      `function or under if (import.meta.main), received ${name}`,
  );
}

// Marking what more than one thread must know.

/** A function that can be marked. */
export type SendableFunction = (...args: never[]) => unknown;

/** A class that can be marked. */
export type SendableClass = abstract new (...args: never[]) => unknown;

/**
 * Marks a function or a class, so that it can be sent to other threads: as the
 * target of a thread, in a queue, in a shared map, and, a class, with its
 * instances.
 *
 * A thread that meets one for the first time imports its module (where
 * `import.meta.main` is `false`) and gets the same function or class. So mark
 * it at the top level of the module, where importing the module does it again,
 * not in a function that is called later, and not under `if
 * (import.meta.main)`. A function without a name is known by the place of its
 * mark, and by its text.
 *
 * An instance arrives as a copy with the fields of the original, without a call
 * of the constructor. So TypeScript's `private` fields travel, and a class
 * whose instances have `#private` fields, methods or accessors is refused;
 * static ones do no harm.
 *
 * All other values are copied as `structuredClone` does it, and what that
 * shares is shared: a `SharedArrayBuffer`, views on it and a
 * `WebAssembly.Memory` made with `shared: true` arrive as the same memory, a
 * `WebAssembly.Module` is not compiled again, and the bytes of a Blob or File
 * are not copied. Keys travel with their content, also if they are not
 * extractable. Refused is what structured cloning would make plain objects of:
 * instances of classes that are not marked, and of the platform's, such as
 * `ImageData`.
 *
 * An instance of a subclass of `Lock`, `Queue` or another shared class is
 * shared, and its own fields are copied each time it is sent. In the thread
 * that made it, and in the one that a `Thread` runs in, they stay as that
 * thread's code has left them; everywhere else they are those of the last
 * arrival. A shared map takes it as a key only if it has no fields.
 *
 * @typeParam T The function or class.
 * @param meta The `import.meta` of the module that defines it.
 * @param value The function or class.
 * @returns The function or class itself.
 * @throws {TypeError} If it is not a function or class, `meta` is not
 * `import.meta`, or instances of the class have something `#private`.
 * @throws {ThreadingError} If the module has marked another one of this name, or
 * another one without a name, of the same text, in the same place.
 *
 * @example A class
 * ```ts
 * import { Lock, sendable, SharedNumber } from "@skein/std/threading";
 *
 * export class Counter {
 *   static {
 *     sendable(import.meta, this);
 *   }
 *   lock = new Lock();
 *   value = new SharedNumber(0);
 * }
 * ```
 *
 * @example Functions
 * ```ts
 * import { sendable } from "@skein/std/threading";
 *
 * export const greet = sendable(import.meta, function greet(name: string) {
 *   console.log(`Hello ${name}`);
 * });
 * export const double = sendable(import.meta, (n: number) => n * 2);
 * ```
 */
export function sendable<T extends SendableFunction | SendableClass>(
  meta: ImportMeta,
  value: T,
): T {
  if (typeof meta?.url !== "string") {
    throw new TypeError(
      `Cannot mark as sendable: meta must be import.meta, ` +
        `received ${shown(meta)}`,
    );
  }
  if (typeof value !== "function") {
    throw new TypeError(
      `Cannot mark as sendable: it is neither a function nor a class, ` +
        `received ${shown(value)}`,
    );
  }
  const stack = stackOf();
  const name = nameOf(value) || nameByPlace(stack, value);
  if (name === undefined || name.includes("#")) {
    throw new TypeError(
      `Cannot mark as sendable: the function or class must have a name by ` +
        `which other threads can find it, received ${name || "none"}`,
    );
  }
  const hidden = privateNameOf(value);
  if (hidden !== undefined) {
    throw new TypeError(
      `Cannot mark as sendable: the class ${name} has ${hidden}, which its ` +
        "instances lose on the way to another thread; write TypeScript's " +
        `private instead, received ${hidden}`,
    );
  }
  register(meta.url, name, value, stack);
  return value;
}

// Where a mark stands
//
// What can be known of a mark when it is set: where it stands, whether other
// threads will find it there, and whether instances of the class can travel.
//
// All of this is read from the call stack and from source text, so it refuses
// only what is certain. The thread that imports the module finds out the rest.

/** A call on the stack, as V8 describes it. */
interface Frame {
  getFunctionName(): string | null;
  getTypeName(): string | null;
  getFileName(): string | null;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  isToplevel(): boolean;
  isAsync(): boolean;
}

/** Where a call stands: the lines under way, those of functions first. */
interface Place {
  readonly frames: readonly Frame[];
  /** The line at the top level of the module that is being evaluated. */
  readonly top: Frame | undefined;
}

/** The stack of a call: to take it costs 6 us, to read it ten times as much. */
interface Stack {
  readonly stack?: unknown;
}

/** The stack of the call of the caller. */
function stackOf(): Stack {
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = Infinity;
    return new Error();
  } catch {
    return {}; // somebody has frozen Error
  } finally {
    if (Error.stackTraceLimit !== limit) Error.stackTraceLimit = limit;
  }
}

function placeOf(stack: Stack): Place {
  const prepare = Reflect.get(Error, "prepareStackTrace");
  Reflect.set(Error, "prepareStackTrace", (_: unknown, all: unknown) => all);
  const all = stack.stack;
  Reflect.set(Error, "prepareStackTrace", prepare);
  if (!Array.isArray(all)) return { frames: [], top: undefined };
  const async = all.findIndex((frame: Frame) => frame.isAsync());
  // Without `stackOf` and its caller.
  const frames: Frame[] = all.slice(2, async < 0 ? undefined : async);
  const end = frames.findIndex((_, i) => isTopLevel(frames, i));
  return end < 0
    ? { frames, top: undefined }
    : { frames: frames.slice(0, end + 1), top: frames[end] };
}

/**
 * Whether a frame may be the top level of a module. Such a frame has no name
 * and was called by nothing, or by `require`. What an anonymous function does
 * after an `await` looks the same, and counts as the top level.
 */
function isTopLevel(frames: Frame[], i: number): boolean {
  const frame = frames[i];
  if (frame.getFunctionName() !== null || frame.getTypeName() !== null) {
    return false;
  }
  const below = frames[i + 1]?.getFileName();
  return below === undefined || below?.startsWith("node:") === true;
}

/**
 * A name for a function or class that has none: where it is marked, and a hash
 * of its text. These are the same in every thread.
 *
 * @returns The name, undefined if the place is unknown.
 */
// deno-lint-ignore ban-types
function nameByPlace(stack: Stack, value: Function): string | undefined {
  const place = placeOf(stack);
  if (place.frames.length === 0) return undefined;
  const lines = place.frames.map((frame) =>
    `${frame.getLineNumber()}:${frame.getColumnNumber()}`
  );
  const text = Function.prototype.toString.call(value);
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash, 31) + text.charCodeAt(i) | 0;
  }
  const kind = isClass(value) ? "class" : "function";
  return `${kind} at ${lines.join(" ")} (${(hash >>> 0).toString(36)})`;
}

/**
 * Finds out whether a mark is certainly not set when a thread imports the
 * module: no module was being evaluated when it was set, or it stands under
 * `if (import.meta.main)`.
 *
 * @param stack The stack of the mark.
 * @param url The URL of the module.
 * @param source Gives its source text, or an empty text.
 * @returns Where the mark stands, undefined if nothing is wrong with it.
 */
function misplacement(
  stack: Stack,
  url: string,
  source: () => string,
): string | undefined {
  const { frames, top } = placeOf(stack);
  if (top !== undefined) {
    // In bundled code, the lines may be those of another file.
    const line = top.getLineNumber() ?? 0;
    return isIn(top, url) &&
        isUnderMain(source(), line, top.getColumnNumber() ?? 0)
      ? "under if (import.meta.main)"
      : undefined;
  }
  return frames.length > 0
    ? "inside a function that was called when its module had been loaded"
    : undefined;
}

/** Whether a frame is of a module; V8 has the paths of files. */
function isIn(frame: Frame, url: string): boolean {
  const file = frame.getFileName();
  return file === url || file === modulePath(url);
}

/** Whether a place, counted from 1, is under `if (import.meta.main)`. */
export function isUnderMain(
  source: string,
  line: number,
  column: number,
): boolean {
  const code = withoutLiterals(source);
  if (code === undefined) return false;
  let start = 0;
  for (let i = 1; i < line; i++) {
    start = code.indexOf("\n", start) + 1;
    if (start === 0) return false;
  }
  const end = start + column - 1;
  // The braces around the place: whether each stands behind such a condition.
  const guards: boolean[] = [];
  for (let i = 0; i < end; i++) {
    if (code[i] === "{") {
      guards.push(MAIN.test(code.slice(Math.max(0, i - 200), i)));
    } else if (code[i] === "}") guards.pop();
  }
  return guards.includes(true) || MAIN_LINE.test(code.slice(start, end));
}

/** The condition, at the end of a text. */
const MAIN = /\bif\s*\(\s*import\.meta\.main\s*(?:&&[^{};]*)?\)\s*$/;
/** The same, with the beginning of one statement that it is for. */
const MAIN_LINE = new RegExp(
  MAIN.source.slice(0, -1) + "(?:(?:await|void)\\s+)?(?:[\\w$]+\\.)*$",
);

/** Classes that were looked at and can travel. */
const checked = new WeakSet<object>();

/**
 * The first `#private` field, method or accessor that instances of a class have
 * from it or from those that it extends. Only a constructor can give it to an
 * object, and none is called where an instance arrives.
 */
// deno-lint-ignore ban-types
export function privateNameOf(constructor: Function): string | undefined {
  let current: unknown = constructor;
  while (
    typeof current === "function" && !checked.has(current) &&
    !isOfPlatform(current)
  ) {
    const name = privateNameIn(Function.prototype.toString.call(current));
    if (name !== undefined) return name;
    checked.add(current);
    current = Object.getPrototypeOf(current);
  }
  return undefined;
}

/** The first name that the text of a class declares for its instances. */
function privateNameIn(text: string): string | undefined {
  if (!text.startsWith("class") || !text.includes("#")) return undefined;
  const code = withoutLiterals(text);
  if (code === undefined) return undefined;
  // From the end, since what the class extends may have braces, too.
  let start = code.length - 1;
  for (let depth = 0; start >= 0; start--) {
    if (code[start] === "}") depth++;
    else if (code[start] === "{" && --depth === 0) break;
  }
  let depth = 0;
  for (let i = start + 1; i < code.length - 1; i++) {
    if ("{([".includes(code[i])) depth++;
    else if ("})]".includes(code[i])) depth--;
    if (code[i] !== "#" || depth > 0) continue;
    const name = NAME.exec(code.slice(i))?.[0];
    const before = BEFORE.exec(code.slice(start, i).replace(/\s+/g, " "));
    // Behind an operator or a dot it is not declared but used.
    if (name === undefined || before === null) continue;
    if (!/\bstatic\b/.test(before[1])) return name;
  }
  return undefined;
}

const NAME = /^#[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/u;
/** What ends before a declaration, and its modifiers. */
const BEFORE =
  /[\p{ID_Continue}$;{})\]"'`] ?((?:\b(?:static|async|get|set|accessor) |\* ?)*)$/u;

/** Behind these words begins an expression, so `/` begins a regular one. */
const OPERATORS =
  /\b(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof|default|extends)$/;

/**
 * The same text with blanks for all in strings, templates, comments and regular
 * expressions; undefined if they cannot be told apart.
 */
function withoutLiterals(text: string): string | undefined {
  let code = "";
  /** For each open `${`, the number of braces that are open in it. */
  const substitutions: number[] = [];
  const blank = (end: number) => {
    const skipped = text.slice(code.length, end);
    code += skipped.replace(/[^\n]/g, " ");
  };
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = code.length;
    const found = pattern.exec(text);
    if (found === null) return false;
    blank(pattern.lastIndex);
    return true;
  };
  const template = (): boolean => {
    if (!skip(TEMPLATE)) return false;
    if (text[code.length - 1] === "{") substitutions.push(0);
    else code = code.slice(0, -1) + "`";
    return true;
  };
  while (code.length < text.length) {
    const char = text[code.length];
    const next = text[code.length + 1];
    const last = substitutions.length - 1;
    let known = true;
    if (char === '"' || char === "'") {
      known = skip(char === '"' ? DOUBLE : SINGLE);
      // The rest of it marks the end of an expression.
      if (known) code = code.slice(0, -1) + char;
    } else if (char === "`") {
      blank(code.length + 1);
      known = template();
    } else if (char === "}" && last >= 0 && substitutions[last] === 0) {
      substitutions.pop();
      blank(code.length + 1);
      known = template();
    } else if (char === "/" && next === "/") {
      known = skip(LINE);
    } else if (char === "/" && next === "*") {
      known = skip(BLOCK);
    } else if (char === "/" && beginsExpression(code)) {
      known = skip(REGULAR);
    } else {
      if (last >= 0 && char === "{") substitutions[last]++;
      if (last >= 0 && char === "}") substitutions[last]--;
      code += char;
    }
    if (!known) return undefined;
  }
  return substitutions.length === 0 ? code : undefined;
}

const DOUBLE = /"(?:[^"\\\n]|\\[^])*"/y;
const SINGLE = /'(?:[^'\\\n]|\\[^])*'/y;
/** The rest of a template, up to its end or the next `${`. */
const TEMPLATE = /(?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/y;
const LINE = /\/\/[^\n]*/y;
const BLOCK = /\/\*[^]*?\*\//y;
const REGULAR = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;

/** Whether what follows `code` is where an expression begins. */
function beginsExpression(code: string): boolean {
  const before = code.trimEnd();
  return !/[\p{ID_Continue}$)\]}"'`]$/u.test(before) ||
    OPERATORS.test(before.slice(-12));
}
