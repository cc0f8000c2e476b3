/**
 * The chapter's second example of the popen2 module: playing against gnuchess.
 *
 * The gnuchess of today speaks the xboard protocol: it repeats a legal move,
 * and then says its own twice. With the depth of search set below it plays:
 *
 *     b8c6
 *     g8f6
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
    // A game is short; an engine that got stuck is not waited for.
    const timer = setTimeout(() => process.kill("SIGKILL"), 30_000);
    process.wait().then(() => clearTimeout(timer));
  }

  /**
   * Waits until the engine is there.
   *
   * Its thread that reads may come before the one that prepares the input, and
   * then holds the lock of stdin while it waits for a line: the other one gets
   * no further, and `Chess` never comes. Lines that mean nothing here ("move
   * now") make it let go of the lock, again and again, until the other is
   * quicker. More than 4096 bytes of them would be too many for it, so the pauses
   * grow: on a busy machine it takes seconds until it reads at all.
   */
  async #greet(): Promise<void> {
    const greeting = this.#fin.readline();
    for (let tries = 0; tries < 60; tries++) {
      const pause = delay(20 * 1.06 ** tries);
      if (await Promise.race([greeting, pause]) !== undefined) break;
      await this.#fout.write("?\n".repeat(30));
    }
    if (await Promise.race([greeting, delay(1000)]) !== "Chess\n") {
      this.#process.kill("SIGKILL");
      throw new Error("Cannot play: incompatible chess program");
    }
    await this.#fout.write("depth 1\n"); // else it thinks for long
    await this.#fin.readline();
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
