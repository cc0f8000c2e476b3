import { sendable } from "../../threading/mod.ts";

/** Leaves behind what a thread can leave behind in its worker. */
export const litter = sendable(import.meta, function litter(url: string) {
  const mark = () => Deno.writeTextFileSync(new URL(url), "litter");
  setTimeout(mark, 20);
  setInterval(mark, 20);
  addEventListener("isolation", mark);
  addEventListener("message", mark);
  Reflect.set(globalThis, "onmessage", mark);
  Deno.addSignalListener("SIGUSR2", mark);
});

/** Lets the event loop turn where `litter` ran, and calls its listeners. */
export const provoke = sendable(import.meta, async function provoke() {
  dispatchEvent(new Event("isolation"));
  dispatchEvent(new MessageEvent("message"));
  await new Promise((resolve) => setTimeout(resolve, 80));
});

export const nativeId = sendable(import.meta, function nativeId() {
  return Reflect.get(globalThis, "onmessage");
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
    throw new Error("after the end");
  });
  Promise.reject(new Error("after the end"));
});
