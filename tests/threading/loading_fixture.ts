import {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  mainThread,
  sendable,
  Thread,
  threadStates,
} from "../../threading/mod.ts";

const loader = getIdent();

/** Whether all that tells which thread runs here agrees that it is this one. */
function look(name: string) {
  const thread = currentThread();
  return {
    name: thread.name === name,
    ident: thread.ident === getIdent() && getIdent() > 0,
    main: thread !== mainThread() && mainThread().name === "MainThread",
    enumerated: enumerate().includes(thread) && enumerate()[0] === mainThread(),
    state: threadStates().some((state) => state.ident === getIdent()),
    alive: thread.isAlive() && activeCount() >= 2,
    nativeId: thread.nativeId! > 0,
    loader: loader === getIdent(),
  };
}

const NAME = "loading";
const seen = [look(NAME)];
// Behind an `await`, as it is when other modules have been waited for.
await new Promise((resolve) => setTimeout(resolve, 1));
seen.push(look(NAME));

export const report = sendable(import.meta, function report(..._: unknown[]) {
  return [...seen, look(NAME)];
});

/** Leaves something open, so that the next thread loads everything anew. */
export const leaveOpen = sendable(import.meta, function leaveOpen() {
  Deno.openSync("/tmp");
});

/** Something that is sent to a thread whose target is elsewhere. */
export class Baggage {
  static {
    sendable(import.meta, this);
  }
  seen() {
    return [...seen, look(NAME)];
  }
}

export class Reporter extends Thread<ReturnType<typeof report>> {
  static {
    sendable(import.meta, this);
  }
  override run() {
    return [...seen, look(NAME)];
  }
}
