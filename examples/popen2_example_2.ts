/**
 * The chapter's second example of the popen2 module: playing against gnuchess.
 *
 * The gnuchess of today speaks the xboard protocol: it is silent about legal
 * moves and answers `My move is : e7e5`. It plays as it likes, so this prints
 * two moves, such as:
 *
 *     b8c6
 *     e7e5
 *
 * @module
 */

import { delay } from "@std/async/delay";
import {
  type Child,
  popen2,
  type TextReader,
  type TextWriter,
} from "@skein/std/process";

/** The engine refuses a move. */
export class IllegalMoveError extends Error {
  override name = "IllegalMoveError";
}

/** A game against a program that speaks gnuchess's language. */
export class Chess {
  readonly #fin: TextReader;
  readonly #fout: TextWriter;
  readonly #process: Child;
  readonly #ready: Promise<void>;

  /**
   * Starts the engine.
   *
   * @param engine Its command line.
   * @throws {Deno.errors.NotFound} If it is not installed.
   */
  constructor(engine = ["/usr/games/gnuchess", "--xboard", "--easy"]) {
    const { stdout, stdin, process } = popen2(engine);
    this.#fin = stdout;
    this.#fout = stdin;
    this.#process = process;
    this.#ready = this.#greet();
    // It is not known to answer in every case; a silent one is not waited for.
    const timer = setTimeout(() => process.kill("SIGKILL"), 15_000);
    process.wait().then(() => clearTimeout(timer));
  }

  async #greet(): Promise<void> {
    if (await this.#fin.readline() !== "Chess\n") {
      throw new Error("Cannot play: incompatible chess program");
    }
    // Without these it thinks for long, or not at all.
    for (const command of ["book off", "depth 1"]) {
      await this.#fout.write(`${command}\n`);
      await this.#fin.readline();
      // It loses a move that comes while it gets ready.
      await delay(1000);
    }
  }

  /**
   * Makes a move.
   *
   * @param move The squares from and to, such as `a2a4`.
   * @returns The engine's move.
   * @throws {IllegalMoveError} If the move is illegal.
   */
  async move(move: string): Promise<string> {
    await this.#ready;
    await this.#fout.write(`${move}\n`);
    await this.#fout.flush();
    for await (const line of this.#fin) {
      if (/^(?:Illegal|Invalid) move/.test(line)) {
        throw new IllegalMoveError(
          `Cannot move: illegal move, received ${move}`,
        );
      }
      const answer = /^My move is : (\S+)/.exec(line);
      if (answer) return answer[1];
    }
    throw new Error("Cannot move: the engine has gone");
  }

  /** Ends the game. */
  async quit(): Promise<void> {
    await this.#ready;
    await this.#fout.write("quit\n");
    await this.#fout.close();
    await this.#process.wait();
    await this.#fin.close();
  }
}

if (import.meta.main) {
  try {
    // play a few moves
    const g = new Chess();
    console.log(await g.move("a2a4"));
    console.log(await g.move("b2b3"));
    await g.quit();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("gnuchess is not installed; on Debian: apt install gnuchess");
  }
}
