/**
 * A queue of the servers: what it is, putting and receiving in one.
 *
 * @module
 */

import type { Link } from "./link.ts";
import { Putting } from "./put.ts";
import { Receiving } from "./receive.ts";
import { type QueueSettings, QueueStream } from "./stream.ts";

export type { Arrival, Death } from "./receive.ts";
export type { QueueSettings };

/** A queue of the servers. */
export class QueueCore {
  /** What it is as a whole. */
  readonly stream: QueueStream;
  /** The half that items are put into. */
  readonly putting: Putting;
  /** The half that items are received from. */
  readonly receiving: Receiving;

  private constructor(link: Link, name: string, settings: QueueSettings) {
    this.stream = new QueueStream(link, name, settings);
    this.putting = new Putting(this.stream);
    this.receiving = new Receiving(
      this.stream,
      () => QueueCore.of(link, `${name}.dead`, {}).putting,
    );
  }

  /** The queue of a name. */
  static of(link: Link, name: string, settings: QueueSettings): QueueCore {
    const { maxsize, lease, maxDeliveries } = settings;
    return link.shared(
      `queue ${name} ${maxsize} ${lease} ${maxDeliveries}`,
      () => new QueueCore(link, name, settings),
    );
  }
}
