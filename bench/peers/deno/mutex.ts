// The smallest mutex on Atomics: 0 free, 1 taken, 2 taken and somebody waits.

/** Takes the mutex at `cells[at]`, blocking the thread until it is free. */
export function acquire(cells: Int32Array, at: number): void {
  if (Atomics.compareExchange(cells, at, 0, 1) === 0) return;
  while (Atomics.exchange(cells, at, 2) !== 0) Atomics.wait(cells, at, 2);
}

/** Gives the mutex at `cells[at]` back. */
export function release(cells: Int32Array, at: number): void {
  if (Atomics.sub(cells, at, 1) === 1) return;
  Atomics.store(cells, at, 0);
  Atomics.notify(cells, at, 1);
}
