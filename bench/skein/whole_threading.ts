// Whole programs with threads, as users write them: the main thread blocks.
// Run: deno run -A whole_threading.ts ROW.
import {
  Condition,
  Event,
  Semaphore,
  sendable,
  SharedNumber,
  Thread,
} from "../../threading/mod.ts";

const nothing = sendable(import.meta, function nothing(): void {});

const wait = sendable(
  import.meta,
  function wait(arrived: Semaphore, end: Event): void {
    arrived.release();
    end.waitSync();
  },
);

const play = sendable(
  import.meta,
  function play(
    turns: Condition,
    turn: SharedNumber,
    me: number,
    times: number,
  ): void {
    for (let i = 0; i < times; i++) {
      using _ = turns.acquireSync();
      while (turn.value !== me) turns.waitSync();
      turn.value = 1 - me;
      turns.notify();
    }
  },
);

/** The rows, each with the number behind its name. */
const ROWS: Record<string, (count: number) => void> = {
  thread() {
    const thread = new Thread({ target: nothing });
    thread.start();
    thread.joinSync();
  },
  waiting(count) {
    const arrived = new Semaphore(0);
    const end = new Event();
    for (let i = 0; i < count; i++) {
      new Thread({ target: wait, args: [arrived, end], daemon: true }).start();
    }
    for (let i = 0; i < count; i++) arrived.acquireSync();
  },
  lock(count) {
    const turns = new Condition();
    const turn = new SharedNumber(0);
    const other = new Thread({
      target: play,
      args: [turns, turn, 1, count / 2],
    });
    other.start();
    play(turns, turn, 0, count / 2);
    other.joinSync();
  },
};

if (import.meta.main) {
  const [row, count] = Deno.args[0].split(" ");
  if (!Object.hasOwn(ROWS, row)) {
    throw new RangeError(`Cannot run the row: it is unknown, received ${row}`);
  }
  ROWS[row](Number(count));
}
