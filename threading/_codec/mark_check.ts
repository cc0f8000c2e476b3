/**
 * What can be known of a mark when it is set: where it stands, whether other
 * threads will find it there, and whether instances of the class can travel.
 *
 * All of this is read from the call stack and from source text, so it refuses
 * only what is certain. The thread that imports the module finds out the rest.
 *
 * @module
 */

import { isClass, isOfPlatform } from "./writer.ts";

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
export interface Stack {
  readonly stack?: unknown;
}

/** The stack of the call of the caller. */
export function stackOf(): Stack {
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
  return below === undefined || below === "node:module";
}

/**
 * A name for a function or class that has none: where it is marked, and a hash
 * of its text. These are the same in every thread.
 *
 * @returns The name, undefined if the place is unknown.
 */
// deno-lint-ignore ban-types
export function nameByPlace(stack: Stack, value: Function): string | undefined {
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
export function misplacement(
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
  return file === url || file === decodeURIComponent(new URL(url).pathname);
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
