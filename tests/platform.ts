/** Registers a test, as `Deno.test` does. */
interface Register {
  (definition: Deno.TestDefinition): void;
  (name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void;
}

/** `Deno.test`, or what registers tests that are left out, with the reason. */
function testIf(met: boolean, reason: string): Register {
  if (met) return Deno.test;
  return (
    test: Deno.TestDefinition | string,
    fn: Deno.TestDefinition["fn"] = () => {},
  ) => {
    const definition = typeof test === "string" ? { name: test, fn } : test;
    const name = `${definition.name} (skipped: ${reason})`;
    Deno.test({ ...definition, name, ignore: true });
  };
}

const { os } = Deno.build;

/** For tests that read files under /proc, as Linux has them. */
export const linuxTest: Register = testIf(
  os === "linux",
  "needs Linux's /proc",
);

/** For tests that run a shell, or programs of Unix such as cat and sort. */
export const unixTest: Register = testIf(
  os !== "windows",
  "Windows has no /bin/sh and no programs of Unix",
);

/** For tests that send signals which somebody handles. */
export const signalTest: Register = testIf(
  os !== "windows",
  "Windows ends a process for every signal",
);
