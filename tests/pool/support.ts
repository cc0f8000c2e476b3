import { assert } from "@std/assert";
import { pathOfUrl } from "../../_internal/built_in.ts";

/** Long enough on a busy machine. */
export const LONG = 60_000;

/** The path of a file of this folder. */
export function pathOf(name: string): string {
  return pathOfUrl(new URL(name, import.meta.url));
}

/** Waits until something is so. */
export async function until(test: () => boolean): Promise<void> {
  const deadline = performance.now() + LONG;
  while (!test()) {
    assert(performance.now() < deadline, "nothing happened");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
