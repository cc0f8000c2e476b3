/**
 * Kills threads that have been given items of queues, which the main thread does
 * not know, and prints what others get of them.
 */

import { Event, SharedMap, Thread } from "../../threading/mod.ts";
import {
  give,
  inherit,
  inheritLater,
  inheritNow,
  putBehind,
  stallWithDeliveries,
  stallWithItems,
  stallWithPuts,
} from "./stranger_fixture.ts";

const SOON = { timeout: 60_000 };

function start<Args extends unknown[], R>(
  target: (...args: Args) => R,
  ...args: Args
): Thread<Awaited<R>> {
  const thread = new Thread({ target, args });
  thread.start();
  return thread as Thread<Awaited<R>>;
}

async function kill(thread: Thread<void>): Promise<void> {
  thread.terminate();
  await thread.join(SOON).catch(() => {});
}

if (import.meta.main) {
  const map = new SharedMap<string, unknown>();
  const [ready, given, go] = [new Event(), new Event(), new Event()];
  {
    const victim = start(stallWithItems, ready, map);
    await ready.wait(SOON);
    const heir = start(inherit, [given, go], map);
    await given.wait(SOON);
    await kill(victim);
    go.set();
    console.log("blocking", JSON.stringify(await heir.join(SOON)));
  }
  for (const target of [inheritLater, inheritNow]) {
    for (const event of [ready, given]) event.clear();
    const victim = start(stallWithItems, ready, map);
    await ready.wait(SOON);
    await start(give, given, map).join(SOON);
    await kill(victim);
    const heir = start(target, map);
    console.log(target.name, JSON.stringify(await heir.join(SOON)));
  }
  ready.clear();
  {
    const victim = start(stallWithDeliveries, ready, map);
    await ready.wait(SOON);
    await kill(victim);
    const heir = start(inheritLater, map);
    console.log("deliveries", JSON.stringify(await heir.join(SOON)));
  }
  for (const event of [ready, given]) event.clear();
  {
    const victim = start(stallWithPuts, ready, map);
    await ready.wait(SOON);
    const heir = start(putBehind, given, map);
    await given.wait(SOON);
    await kill(victim);
    console.log("behind", JSON.stringify(await heir.join(SOON)));
  }
}
