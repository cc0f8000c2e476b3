const WARM_UP = 300;
const RUNS = 51;

/**
 * Times a loop after a warm-up. It is run many times for a short while, since
 * a function's best code is only entered when the function is called anew.
 *
 * @param turns How many turns of the loop are one run.
 * @param loop Does what is measured as many times as it is told.
 * @returns Nanoseconds a turn, the median of the runs.
 */
export function perCall(turns: number, loop: (turns: number) => void): number {
  const end = performance.now() + WARM_UP;
  while (performance.now() < end) loop(turns);
  const took = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    loop(turns);
    return performance.now() - start;
  });
  return took.sort((a, b) => a - b)[RUNS >> 1] * 1e6 / turns;
}

/**
 * Times a loop that takes the event loop once a turn.
 *
 * @param turns How many turns are one run.
 * @param turn Does what is measured once.
 * @returns Nanoseconds a turn, the median of the runs.
 */
export async function perTurn(
  turns: number,
  turn: () => Promise<void>,
): Promise<number> {
  const took: number[] = [];
  for (let run = -2; run < 9; run++) {
    const start = performance.now();
    for (let i = 0; i < turns; i++) await turn();
    if (run >= 0) took.push(performance.now() - start);
  }
  return took.sort((a, b) => a - b)[took.length >> 1] * 1e6 / turns;
}

/**
 * Measures the row that is named on the command line and prints it as the
 * harness reads it.
 *
 * @param rows What measures each row, in nanoseconds or bytes.
 * @throws {RangeError} If there is no such row.
 */
export async function main(
  rows: Record<string, () => number | Promise<number>>,
): Promise<void> {
  const name = Deno.args[0];
  if (!Object.hasOwn(rows, name)) {
    throw new RangeError(
      `Cannot measure the row: it is unknown, received ${name}`,
    );
  }
  const value = await rows[name]();
  console.log(JSON.stringify({
    name,
    [name.endsWith("memory") ? "bytes" : "ns"]: value,
  }));
  Deno.exit(0);
}
