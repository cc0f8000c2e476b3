/** What a test needs of its platform; without a reason it runs everywhere. */
export interface Need {
  /** What `Deno.test` takes. */
  ignore: boolean;
  /** Why it is left out, for its name; else empty. */
  reason: string;
}

function need(met: boolean, reason: string): Need {
  return { ignore: !met, reason: met ? "" : ` (skipped: ${reason})` };
}

const { os } = Deno.build;

/** Needs the files under /proc, as Linux has them. */
export const linuxOnly: Need = need(os === "linux", "needs Linux's /proc");

/** Needs a shell and the programs of Unix, such as cat and sort. */
export const unixOnly: Need = need(
  os !== "windows",
  "Windows has no /bin/sh, cat and sort",
);

/** Needs signals that reach another process and can be handled there. */
export const signalsOnly: Need = need(
  os !== "windows",
  "Windows ends a process for every signal",
);

/** Needs named pipes (FIFOs). */
export const fifosOnly: Need = need(
  os !== "windows",
  "Windows has no named pipes among its files",
);
