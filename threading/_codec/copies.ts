/**
 * The copies of skein that a program has, two versions of it, say. They share
 * nothing, and what one has made or marked means nothing to another; this tells
 * to whom it belongs.
 *
 * @module
 */

/** What a copy tells the others. All versions must understand it. */
interface Copy {
  /** A module of it. */
  readonly url: string;
  /** Whether an object, a function or a class is one of its. */
  owns(value: object): boolean;
}

const KEY = Symbol.for("@skein/std copies");

const copies: Copy[] = Reflect.get(globalThis, KEY) ?? [];
Object.defineProperty(globalThis, KEY, { value: copies, configurable: true });

/**
 * Makes this copy known to the others of this thread.
 *
 * @param owns Whether a value is one of its.
 */
export function introduce(owns: Copy["owns"]): void {
  copies.push({ url: import.meta.url, owns });
}

/** The URL of the other copy that a value belongs to, if there is one. */
export function otherOwner(value: object): string | undefined {
  return copies.find(({ url, owns }) => url !== import.meta.url && owns(value))
    ?.url;
}

/** Why that cannot be sent. */
export function whyOfOther(url: string): string {
  return `it belongs to another copy of @skein/std, ${url}, with which this ` +
    "one shares nothing; let the program load one";
}
