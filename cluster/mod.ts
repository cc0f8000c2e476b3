/**
 * Queues, locks and maps across machines, on NATS JetStream.
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
export type { WaitOptions, WaitSyncOptions } from "../_internal/options.ts";
