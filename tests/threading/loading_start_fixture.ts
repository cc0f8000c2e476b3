import { sendable, Thread } from "../../threading/mod.ts";
import { echo } from "./thread_fixture.ts";

/** Starts a thread when it is imported by a thread that runs. */
const thread = new Thread({ target: echo, args: [1] });
if (Deno.mainModule !== import.meta.url) thread.start();
export const joined = thread.join();

export const never = sendable(import.meta, function never() {});
