/**
 * What the threads of a failing schedule did, as a table.
 *
 * @module
 */

import type { Row } from "./_layout.ts";

/** The widest cell. */
const MAX_WIDTH = 60;

function cellOf({ what, line }: Row): string {
  const text = line === "" ? what : `${what}  ${line}`;
  const [first] = text.split("\n");
  return first.length > MAX_WIDTH
    ? `${first.slice(0, MAX_WIDTH - 3)}...`
    : first;
}

/**
 * A column for each thread, a row for each thing that one of them did.
 *
 * @param rows What they did, in order.
 * @param threads How many threads there are.
 */
export function tableOf(rows: readonly Row[], threads: number): string {
  const header = Array.from({ length: threads }, (_, i) => `thread ${i + 1}`);
  const widths = header.map((title) => title.length);
  for (const row of rows) {
    widths[row.thread] = Math.max(widths[row.thread], cellOf(row).length);
  }
  const lineOf = (cells: string[]) =>
    cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ").trimEnd();
  const lines = rows.map((row) =>
    lineOf(header.map((_, i) => i === row.thread ? cellOf(row) : ""))
  );
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  return [lineOf(header), rule, ...lines].join("\n");
}
