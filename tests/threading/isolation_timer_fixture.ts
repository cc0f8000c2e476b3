import { sendable } from "../../threading/mod.ts";

let beats = 0;
setInterval(() => beats++, 1);
addEventListener("isolation", () => beats++);

/** Whether the timer and the listener of this module work in this thread. */
export const beat = sendable(import.meta, async function beat() {
  const before = beats;
  dispatchEvent(new Event("isolation"));
  if (beats !== before + 1) return "no listener";
  await new Promise((resolve) => setTimeout(resolve, 50));
  return beats > before + 1 ? "alive" : "no timer";
});
