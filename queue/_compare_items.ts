/**
 * The order of a priority queue whose items lie in a list, where a subclass
 * overrides a hook: the same as that of the keys in `_key.ts`.
 *
 * @module
 */

/**
 * Compares two items.
 *
 * @returns Below 0 if the first is lower, above 0 if the second is.
 * @throws {TypeError} If they cannot be compared.
 */
export function compareItems(a: unknown, b: unknown): number {
  const order = compareElements(a, b);
  if (order !== undefined) return order;
  throw new TypeError(
    `Cannot put an item: it cannot be compared, received ${
      Deno.inspect(a, { depth: 1 })
    } and ${Deno.inspect(b, { depth: 1 })}`,
  );
}

/** `undefined` if they cannot be compared. */
function compareElements(a: unknown, b: unknown): number | undefined {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return undefined;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof a === "string" && typeof b === "string") {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (Array.isArray(a) && Array.isArray(b)) return compareTuples(a, b);
  return undefined;
}

function compareTuples(a: unknown[], b: unknown[]): number | undefined {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    if (i > 0 && isOpaque(a[i]) && isOpaque(b[i])) return 0;
    const order = compareElements(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function isOpaque(value: unknown): boolean {
  return typeof value !== "number" && typeof value !== "string" &&
    !Array.isArray(value);
}
