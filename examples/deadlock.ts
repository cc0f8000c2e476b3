/**
 * A deadlock: three philosophers sit around a table with three forks. Each takes
 * the fork on the left and waits for the one on the right, which the neighbour
 * has. Whoever closes the circle is told: its wait throws an error that draws it.
 * It puts its fork down, and the others can eat.
 *
 * The chapter has no such program. This prints, with the philosophers in another
 * order now and then:
 *
 *     Kant is told:
 *     Cannot acquire an RLock: this would never end, since these threads wait for one another
 *         Kant holds RLock 1 and waits for RLock 2
 *         Hegel holds RLock 2 and waits for RLock 3
 *         Plato holds RLock 3 and waits for RLock 1
 *     meals: 3
 *
 * @module
 */

import {
  Barrier,
  DeadlockError,
  RLock,
  sendable,
  SharedList,
  SharedNumber,
  Thread,
} from "@skein/std/threading";

/** What the philosophers share. */
interface Table {
  forks: RLock[];
  /** All have one fork. */
  seated: Barrier;
  meals: SharedNumber;
  /** What was told to whom. */
  told: SharedList<string>;
}

/** Takes both forks, one after the other, and eats. */
export const dine = sendable(
  import.meta,
  function dine(name: string, place: number, table: Table) {
    const { forks, seated, meals, told } = table;
    const eat = (isFirst: boolean) => {
      using _ = forks[place].acquireSync();
      if (isFirst) seated.waitSync();
      using __ = forks[(place + 1) % forks.length].acquireSync();
      meals.add(1);
    };
    // Whoever is told puts the fork down and tries again, which may close another
    // circle.
    for (let isFirst = true;; isFirst = false) {
      try {
        return eat(isFirst);
      } catch (error) {
        if (!(error instanceof DeadlockError)) throw error;
        told.push(`${name} is told:\n${error.message}`);
      }
    }
  },
);

if (import.meta.main) {
  const names = ["Plato", "Kant", "Hegel"];
  const table: Table = {
    forks: names.map(() => new RLock()),
    seated: new Barrier(names.length),
    meals: new SharedNumber(0),
    told: new SharedList<string>(),
  };
  const philosophers = names.map((name, place) =>
    new Thread({ target: dine, name, args: [name, place, table] })
  );
  for (const philosopher of philosophers) philosopher.start();
  for (const philosopher of philosophers) await philosopher.join();
  for (const message of table.told) console.log(message);
  console.log(`meals: ${table.meals.value}`);
}
