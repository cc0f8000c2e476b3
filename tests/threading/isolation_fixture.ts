import {
  setImmediate,
  setInterval as everyMs,
  setTimeout as afterMs,
} from "node:timers";
import { setTimeout as wait } from "node:timers/promises";
import { createServer } from "node:net";
import { Worker as NodeWorker } from "node:worker_threads";
import nodeProcess from "node:process";
import {
  currentThread,
  getIdent,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";
import { runSync } from "../../process/mod.ts";

const SPIN = "setInterval(() => {}, 1000);";

/** What a thread can leave behind; calls `mark` whenever it is run. */
const leftovers: Record<string, (mark: () => void) => unknown> = {
  nothing() {},
  // What is taken away.
  setTimeout: (mark) => setTimeout(mark, 20),
  setInterval: (mark) => setInterval(mark, 20),
  "setInterval, unref'd": (mark) => Deno.unrefTimer(setInterval(mark, 20)),
  setImmediate: (mark) => setImmediate(mark),
  "node:timers": (mark) => everyMs(mark, 20),
  "node:timers, unref'd": (mark) => everyMs(mark, 20).unref(),
  "node:timers/promises": (mark) => void wait(20).then(mark),
  "AbortSignal.timeout": (mark) =>
    AbortSignal.timeout(20).addEventListener("abort", mark),
  "a timer in a microtask": (mark) =>
    queueMicrotask(() => void afterMs(mark, 20)),
  "a listener of globalThis": (mark) => addEventListener("isolation", mark),
  "a listener of messages": (mark) => addEventListener("message", mark),
  onmessage: (mark) => Reflect.set(globalThis, "onmessage", mark),
  "a listener of signals": (mark) => Deno.addSignalListener("SIGUSR2", mark),
  // What ends the worker.
  "a listener of process": (mark) => nodeProcess.on("isolation", mark),
  "a handler of process": (mark) => nodeProcess.on("SIGUSR2", mark),
  "no listener of process": () => nodeProcess.removeAllListeners(),
  MessageChannel(mark) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = mark;
    setInterval(() => port2.postMessage(1), 10);
  },
  BroadcastChannel: (mark) =>
    new BroadcastChannel("isolation").onmessage = mark,
  "Deno.serve": (mark) => serve(mark),
  "Deno.serve, unref'd": (mark) => serve(mark).unref(),
  "Deno.listen"(mark) {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    listener.accept().finally(mark).catch(() => {});
  },
  "node:net": (mark) => createServer(mark).listen(0, "127.0.0.1"),
  async "a connection"() {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr as Deno.NetAddr;
    await Deno.connect({ port, hostname: "127.0.0.1" });
    listener.close();
  },
  async WebSocket(mark) {
    const { port } = serve(mark).addr;
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await new Promise((resolve) => socket.onerror = resolve);
  },
  async "an open fetch"() {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr as Deno.NetAddr;
    fetch(`http://127.0.0.1:${port}`).catch(() => {});
    await listener.accept();
    listener.close();
  },
  "Deno.watchFs": (mark) => {
    Deno.watchFs("/tmp")[Symbol.asyncIterator]().next().then(mark);
  },
  "Deno.openSync": () => Deno.openSync("/tmp"),
  "Deno.Command": () =>
    void new Deno.Command("sleep", { args: ["0.2"] }).spawn(),
  Worker: () => new Worker(`data:text/javascript,${SPIN}`, { type: "module" }),
  "node:worker_threads": () => new NodeWorker(SPIN, { eval: true }).unref(),
  "a web lock": () => {
    const name = `isolation ${getIdent()}`;
    Reflect.get(navigator, "locks").request(name, () => new Promise(() => {}));
  },
};

/** Those that cost the next thread nothing. */
export const cleared = Object.keys(leftovers).slice(0, 14);
/** Those after which the next thread has a worker of its own. */
export const ending = Object.keys(leftovers).slice(14);

function serve(mark: () => void) {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  return Deno.serve(options, () => {
    mark();
    return new Response();
  });
}

/**
 * Leaves something behind.
 *
 * @returns The number of the worker.
 */
export const litter = sendable(
  import.meta,
  async function litter(kind: string, marks: SharedNumber) {
    const ident = getIdent();
    // What is left runs as long as its own thread does, but in no other one.
    await leftovers[kind](() => {
      if (getIdent() !== ident) marks.add(1);
    });
    return currentThread().nativeId!;
  },
);

/** Uses all that `litter` may have left; returns the number of the worker. */
export const provoke = sendable(import.meta, async function provoke() {
  dispatchEvent(new Event("isolation"));
  dispatchEvent(new MessageEvent("message"));
  nodeProcess.emit("isolation" as "exit", 0);
  const channel = new BroadcastChannel("isolation");
  channel.postMessage(1);
  await new Promise((resolve) => setTimeout(resolve, 60));
  channel.close();
  return currentThread().nativeId!;
});

/** What a thread can use and does not leave behind. */
const uses: Record<string, () => unknown> = {
  console: () => console.groupEnd(),
  "process.stdout": () => nodeProcess.stdout.write(""),
  "a timer": () => new Promise((resolve) => setTimeout(resolve, 1)),
  async "a fetch"() {
    const server = serve(() => {});
    await (await fetch(`http://127.0.0.1:${server.addr.port}`)).text();
    await server.shutdown();
  },
  async "a file"() {
    (await Deno.open("/tmp")).close();
    await Deno.stat("/tmp");
  },
  child: () => new Deno.Command("true").output(),
  "runSync of skein": () => runSync(["echo", "1"], { input: "1" }),
  "listeners"() {
    const listener = () => {};
    nodeProcess.on("exit", listener);
    nodeProcess.off("exit", listener);
    addEventListener("message", listener);
    removeEventListener("message", listener);
  },
  MessageChannel() {
    const { port1, port2 } = new MessageChannel();
    port1.close();
    port2.close();
  },
  Worker: () =>
    new Worker(`data:text/javascript,${SPIN}`, { type: "module" }).terminate(),
  async "node:worker_threads"() {
    const worker = new NodeWorker(SPIN, { eval: true });
    await wait(20);
    await worker.terminate();
  },
  import: () => import("../../mod.ts"),
};
export const tidyUses = Object.keys(uses);

/** Uses something and leaves nothing; returns the number of the worker. */
export const use = sendable(import.meta, async function use(kind: string) {
  await uses[kind]();
  return currentThread().nativeId!;
});

/** Its own timers still work. */
export const countTicks = sendable(
  import.meta,
  async function countTicks(ticks: number) {
    let count = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (++count < ticks) return;
        clearInterval(timer);
        resolve();
      }, 1);
    });
    const stopped = setTimeout(() => count++, 1);
    clearTimeout(stopped);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return count;
  },
);

/** A rejection and an error that come up behind the end of their thread. */
export const failLater = sendable(import.meta, function failLater() {
  queueMicrotask(() => {
    throw new Error("an error");
  });
  Promise.reject(new Error("a rejection"));
});
