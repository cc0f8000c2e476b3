/**
 * Queues, locks and maps across machines, on NATS JetStream.
 *
 * The words are those of the local classes. What distance adds: no `...Nowait`,
 * state in promises, leases with tokens instead of locks that are held, and items
 * that come at least once, until they are acknowledged. Servers are one or three
 * of NATS, 2.12 or later, with JetStream. Nothing of the rest loads this module.
 *
 * {@linkcode Cluster.connect} gives the connection; {@linkcode ClusterQueue},
 * {@linkcode ClusterLock} and {@linkcode ClusterMap} are what it has.
 * {@linkcode register} gives the classes and functions their names that travel.
 *
 * @example A worker
 * ```ts ignore
 * import { Cluster } from "@skein/std/cluster";
 *
 * await using cluster = await Cluster.connect("127.0.0.1:4222");
 * const jobs = cluster.queue<string>("jobs", { maxDeliveries: 5 });
 * await jobs.put("spam");
 * for await (const delivery of jobs) {
 *   console.log(delivery.item);
 *   await delivery.ack();
 * }
 * ```
 *
 * @module
 */

export { Cluster, type ClusterOptions, type ClusterTls } from "./cluster.ts";
export {
  type ClusterDeath,
  ClusterDelivery,
  type ClusterNakOptions,
} from "./delivery.ts";
export {
  type ClusterPutOptions,
  ClusterQueue,
  type ClusterQueueOptions,
  type ClusterReceiveOptions,
  type ClusterShutDownOptions,
} from "./queue.ts";
export { ClusterLock, type ClusterLockOptions, Lease } from "./lock.ts";
export {
  type ClusterChange,
  type ClusterEntry,
  ClusterMap,
  type ClusterRemove,
  type ClusterSetOptions,
  type ClusterWatchOptions,
} from "./map.ts";
export { register, type Registered } from "./registry.ts";
export type { WaitOptions, WaitSyncOptions } from "../_internal/check.ts";
