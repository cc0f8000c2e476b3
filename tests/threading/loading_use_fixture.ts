import { sendable } from "../../threading/mod.ts";
import type { Baggage } from "./loading_fixture.ts";

/** Uses what it is sent, of whose module it knows nothing. */
export const unpack = sendable(
  import.meta,
  function unpack(baggage: Baggage) {
    return baggage.seen();
  },
);

/** Imports a module while it runs. */
export const importWhileRunning = sendable(
  import.meta,
  async function importWhileRunning() {
    const { report } = await import("./loading_fixture.ts");
    return report();
  },
);

/** Imports a module that starts a thread. */
export const importStarting = sendable(
  import.meta,
  async function importStarting() {
    const { joined } = await import("./loading_start_fixture.ts");
    return await joined;
  },
);
