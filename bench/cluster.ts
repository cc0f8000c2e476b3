// The rows of the cluster suite: skein beside the client that it uses, bare,
// with one server on the loopback interface.
import { contestant, type Row } from "./_harness.ts";
import { withServer } from "./_nats.ts";
import { deno } from "./_programs.ts";

const program = (path: string) =>
  withServer(deno(new URL(path, import.meta.url)));

const skein = contestant("skein", program("./skein/cluster.ts"));
const bare = contestant("NATS client", program("./peers/deno/cluster.ts"));

/** A row of both. */
function row(name: string, key: string, atMost: number): Row {
  return { name, unit: "ns", contestants: [skein(key), bare(key, atMost)] };
}

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  row("cluster: put a small object, confirmed", "put", 1.3),
  row("cluster: receive and acknowledge, confirmed", "receive", 1.3),
  row("cluster: from put to a receiver that waits", "hand-over", 1.3),
  row("cluster: 100 items in one atomic batch", "batch", 1.25),
  row("cluster: take and release a free lock", "lock", 1.3),
];
