/**
 * A station with two sensors. Each is a thread that puts what it measures into a
 * queue of its own; the station takes whatever comes first, and gives up if
 * nothing comes for too long. A display shows the last values, each of which it
 * is told of only if it has time for it.
 *
 * The chapter has no such program. This prints:
 *
 *     temperatures: 100, on average 20.5
 *     humidities: 100, on average 40.5
 *     the display was told of some: true
 *
 * @module
 */

import {
  after,
  every,
  Queue,
  selectNowait,
  selectSync,
} from "@skein/std/queue";
import { Event, sendable, Thread } from "@skein/std/threading";

const COUNT = 100;

/** Measures a value again and again: `low` and `low + 1` in turns. */
export const measure = sendable(
  import.meta,
  function measure(values: Queue<number>, low: number) {
    for (let i = 0; i < COUNT; i++) values.putSync(low + i % 2);
  },
);

/** Shows what it is told, until it is switched off; returns how much that was. */
export const show = sendable(
  import.meta,
  function show(values: Queue<number>, off: Event): number {
    const blink = every(10);
    for (let shown = 0;;) {
      const { index } = selectSync([values, blink, off]);
      if (index === 0) shown++;
      else if (index === 2) return shown + values.drain().length;
    }
  },
);

function run(): void {
  const temperatures = new Queue<number>(5);
  const humidities = new Queue<number>(5);
  const display = new Queue<number>(1);
  const off = new Event();
  const sensors = [
    new Thread({ target: measure, args: [temperatures, 20] }),
    new Thread({ target: measure, args: [humidities, 40] }),
  ];
  const screen = new Thread({ target: show, args: [display, off] });
  for (const thread of [...sensors, screen]) thread.start();

  const sums = [0, 0];
  for (let left = 2 * COUNT; left > 0; left--) {
    const { index, value } = selectSync([
      temperatures,
      humidities,
      after(60_000),
    ]);
    if (index === 2) throw new Error("The sensors are silent");
    sums[index] += value;
    // Only if there is room.
    selectNowait([[display, value]]);
  }
  off.set();
  const [temperature, humidity] = sums.map((sum) => sum / COUNT);
  console.log(`temperatures: ${COUNT}, on average ${temperature}`);
  console.log(`humidities: ${COUNT}, on average ${humidity}`);
  console.log(`the display was told of some: ${screen.joinSync() > 0}`);
  for (const sensor of sensors) sensor.joinSync();
}

if (import.meta.main) run();
