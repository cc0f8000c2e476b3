import { deadline } from "@std/async/deadline";
import { unixTest } from "../platform.ts";
import { kernelPipes } from "../../process/_command/descriptors.ts";

/**
 * How the processes of a pipeline are joined: by pipes of the kernel, with
 * shells in the place of the programs or without them, or by streams.
 */
type Way = "shells" | "descriptors" | "streams";

/** What registers a test for each way. */
type Register = (
  name: string,
  test: () => Promise<void>,
  ignore?: boolean,
) => void;

/** Tests that run once for each way, for at most `limit` milliseconds. */
export function testWays(
  { limit, ways = ["shells", "descriptors", "streams"] }: {
    limit?: number;
    ways?: readonly Way[];
  } = {},
): Register {
  return (name, test, ignore = false) => {
    for (const way of ways) {
      const title = `${name} (${way})`;
      const fn = async () => {
        const before = { ...kernelPipes };
        kernelPipes.enabled &&= way !== "streams";
        kernelPipes.wrapped &&= way === "shells";
        try {
          await (limit === undefined ? test() : deadline(test(), limit));
        } finally {
          Object.assign(kernelPipes, before);
        }
      };
      unixTest({ name: title, ignore, fn });
    }
  };
}
