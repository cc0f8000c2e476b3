/**
 * Cutting a stream of bytes into lines, in both forms.
 *
 * @module
 */

// `TextLineStream` of @std/streams is as fast, but a stream: the blocking form
// needs one that is none, and both are to cut the same lines.
/**
 * Cuts text into lines as it comes. A line ends with "\n" or "\r\n"; "\r" alone
 * is a character like others. A line may be of any length: what is left of one
 * is only searched once.
 */
class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest = "";

  /** The lines that these bytes complete, without their ends. */
  push(bytes: Uint8Array): string[] {
    // The decoder keeps the first bytes of a character that is cut in two.
    const lines = this.#decoder.decode(bytes, { stream: true }).split("\n");
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop()!;
    for (let i = 0; i < lines.length; i++) {
      if (lines[i].endsWith("\r")) lines[i] = lines[i].slice(0, -1);
    }
    return lines;
  }

  /** The last line, if the text does not end with a newline. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}

/** Where lines come from, and what happens when nobody wants more of them. */
interface LineSource {
  /** The next bytes, or `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Is called once: at the end, after an error, or when the reader stops. */
  close(early: boolean): Promise<void>;
}

/**
 * The lines of a source, read as they are asked for. Written by hand, because
 * an async generator takes three turns of the queue for each line.
 */
export class Lines implements AsyncIterableIterator<string> {
  readonly #open: () => Promise<LineSource>;
  readonly #splitter = new LineSplitter();
  #source?: Promise<LineSource>;
  #lines: string[] = [];
  #next = 0;
  #ended = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** Makes an iterator; the source is opened by the first `next`. */
  constructor(open: () => Promise<LineSource>) {
    this.#open = open;
  }

  /** The next line. */
  next(): Promise<IteratorResult<string, undefined>> {
    if (this.#next < this.#lines.length) {
      return Promise.resolve({ value: this.#lines[this.#next++], done: false });
    }
    // One at a time, in case it is called again before the last one resolved.
    const result = this.#turn.then(() => this.#refill());
    this.#turn = result.catch(() => {});
    return result;
  }

  async #refill(): Promise<IteratorResult<string, undefined>> {
    while (this.#next >= this.#lines.length) {
      if (this.#ended) return { value: undefined, done: true };
      try {
        const source = await (this.#source ??= this.#open());
        const bytes = await source.read();
        if (bytes === undefined) {
          this.#lines = this.#splitter.end();
          await this.#close(false);
        } else {
          this.#lines = this.#splitter.push(bytes);
        }
        this.#next = 0;
      } catch (error) {
        await this.#close(true).catch(() => {});
        throw error;
      }
    }
    return { value: this.#lines[this.#next++], done: false };
  }

  async #close(early: boolean): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const source = await this.#source;
    await source?.close(early);
  }

  /** Stops; whoever writes the lines is ended. */
  async return(): Promise<IteratorResult<string, undefined>> {
    this.#lines = [];
    await this.#close(true);
    return { value: undefined, done: true };
  }

  /** The iterator itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** A source of lines that blocks the thread. */
export interface LineSourceSync {
  /** The next bytes, or `undefined` at the end. */
  read(): Uint8Array | undefined;
  /** Is called once: at the end, after an error, or when the reader stops. */
  close(early: boolean): void;
}

/** The lines of a source, which is opened and read as they are asked for. */
export function* linesSync(
  open: () => LineSourceSync,
): Generator<string, undefined, undefined> {
  const source = open();
  const splitter = new LineSplitter();
  let early = true;
  try {
    let bytes: Uint8Array | undefined;
    while ((bytes = source.read()) !== undefined) yield* splitter.push(bytes);
    yield* splitter.end();
    early = false;
  } finally {
    source.close(early);
  }
}
