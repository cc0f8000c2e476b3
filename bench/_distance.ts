/** How long a hand-over takes: who waits first, and what wakes it. */
export interface HandOver {
  /** Waits for an item and acknowledges it. */
  receive(): Promise<() => Promise<void>>;
  /** Puts an item. */
  put(): Promise<void>;
}

/** The median of the times from a put to the receiver that waits, in ns. */
export async function medianOf(
  { receive, put }: HandOver,
  times = 300,
): Promise<number> {
  const took: number[] = [];
  for (let i = -30; i < times; i++) {
    const receiving = receive().then((ack) => ({ ack, at: performance.now() }));
    await new Promise((resolve) => setTimeout(resolve, 3)); // until it waits
    const start = performance.now();
    await put();
    const { ack, at } = await receiving;
    await ack();
    if (i >= 0) took.push((at - start) * 1e6);
  }
  return took.sort((a, b) => a - b)[times >> 1];
}
