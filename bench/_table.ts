import type { Outcome, Row } from "./_harness.ts";

const PASS = "pass";
const MISS = "**miss**";
const UNKNOWN = "?";
const HEAD = ["what", "who", "median", "range", "skein ÷ it", "target", ""];

/**
 * Writes the results as a Markdown table: a line for each contestant, the
 * target beside the peer that it is measured by.
 *
 * @param results The rows, each with what came out for its contestants.
 * @returns The table.
 */
export function table(results: ReadonlyArray<[Row, Outcome[]]>): string {
  const lines = [HEAD];
  for (const [row, outcomes] of results) {
    for (const [i, contestant] of row.contestants.entries()) {
      lines.push([
        i === 0 ? cell(row.name) : "",
        contestant.name,
        ...numbers(row, outcomes[i]),
        ...comparison(row, outcomes, i),
      ]);
    }
  }
  const widths = HEAD.map((_, column) =>
    Math.max(3, ...lines.map((line) => line[column].length))
  );
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)));
  return lines.map((line) =>
    `| ${line.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`
  ).join("\n");
}

/**
 * Counts the targets.
 *
 * @param results The rows, each with what came out for its contestants.
 * @returns How many were reached, missed and not measured.
 */
export function verdicts(results: ReadonlyArray<[Row, Outcome[]]>): string {
  const words = results.flatMap(([row, outcomes]) =>
    outcomes.map((_, i) => comparison(row, outcomes, i)[2])
  );
  const count = (word: string) => words.filter((each) => each === word).length;
  return `Targets: ${count(PASS)} reached, ${count(MISS)} missed, ${
    count(UNKNOWN)
  } not measured.`;
}

function numbers(row: Row, outcome: Outcome): [string, string] {
  if ("skipped" in outcome) return [`skipped: ${outcome.skipped}`, ""];
  if ("failed" in outcome) return [`failed: ${cell(outcome.failed)}`, ""];
  const { median, least, most } = outcome;
  return [
    quantity(median, row.unit),
    `${quantity(least, row.unit)} – ${quantity(most, row.unit)}`,
  ];
}

function comparison(
  row: Row,
  outcomes: readonly Outcome[],
  i: number,
): [ratio: string, target: string, verdict: string] {
  const { atMost } = row.contestants[i];
  const [own, its] = [outcomes[0], outcomes[i]];
  const unit = i === 0 ? row.unit : "times";
  const target = atMost === undefined ? "" : `≤ ${quantity(atMost, unit)}`;
  if (!("median" in own && "median" in its)) {
    return ["", target, atMost === undefined ? "" : UNKNOWN];
  }
  const value = i === 0 ? own.median : own.median / its.median;
  return [
    i === 0 ? "" : quantity(value, "times"),
    target,
    atMost === undefined ? "" : value <= atMost ? PASS : MISS,
  ];
}

const SCALES: Record<string, ReadonlyArray<[size: number, name: string]>> = {
  ns: [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]],
  bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]],
  times: [[1, "×"]],
};

/** Three digits and the unit that suits the size. */
export function quantity(value: number, unit: string): string {
  const scale = SCALES[unit];
  const [size, name] = scale.find(([size]) => Math.abs(value) >= size) ??
    scale.at(-1)!;
  const scaled = value / size;
  const digits = Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
  return `${String(Number(scaled.toFixed(digits)))} ${name}`;
}

function cell(text: string): string {
  const line = text.replaceAll("\n", " ").replaceAll("|", "\\|");
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
