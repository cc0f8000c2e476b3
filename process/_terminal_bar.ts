// The bar of `progress_bar.ts`, drawn by a library.
import cliProgress from "cli-progress";

/** What is used of the library, which has no types of its own. */
interface Bar {
  start(total: number, value: number, payload: Record<string, string>): void;
  update(value: number): void;
  stop(): void;
}

interface BarOptions {
  format: string;
  formatValue(value: number, options: unknown, type: string): string;
}

const { SingleBar, Presets } = cliProgress as {
  SingleBar: new (options: BarOptions, preset: unknown) => Bar;
  Presets: { legacy: unknown };
};

const KNOWN =
  "{label}{bar} {percentage}% | {value} of {total} | {eta_formatted}";
const UNKNOWN = "{label}{value} | {duration_formatted}";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A number of bytes to be read by people. */
function sizeText(bytes: number): string {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit++;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${UNITS[unit]}`;
}

/** A bar for one run. Without a terminal none of this does anything. */
export class TerminalBar {
  readonly #bar: Bar;

  /** Draws an empty bar. */
  constructor(label: string, total: number | undefined) {
    this.#bar = new SingleBar({
      format: total === undefined ? UNKNOWN : KNOWN,
      // The library has it format percentages too.
      formatValue: (value, _, type) =>
        type === "value" || type === "total" ? sizeText(value) : `${value}`,
    }, Presets.legacy);
    this.#bar.start(total ?? 0, 0, { label: label && `${label} ` });
  }

  /** Sets how far it has come. */
  update(bytes: number): void {
    this.#bar.update(bytes);
  }

  /** Draws it a last time and ends its line. */
  stop(): void {
    this.#bar.stop();
  }
}
