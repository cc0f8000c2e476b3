/**
 * What the objects of a cluster need of it.
 *
 * @module
 */

import type { Channel } from "./_channel.ts";
import type { Link } from "./_link.ts";
import type { Patience } from "./_patience.ts";

/** A cluster as its queues, locks and maps see it. */
export interface Host {
  /** The connection in the event loop of this thread. */
  link(patience: Patience): Promise<Link>;
  /** The way to the thread that asks for the blocking forms. */
  channel(patience: Patience): Channel;
}
