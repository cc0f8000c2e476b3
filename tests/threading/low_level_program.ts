// Run by low_level_test.ts as a program of its own.
import { Thread } from "../../threading/mod.ts";
import {
  exit,
  interruptMain,
  startNewThread,
} from "../../threading/low_level.ts";
import { activeCount, sleepSync } from "../../threading/current_thread.ts";
import { fail, interrupt, sleepForEver } from "./low_level_fixture.ts";

function onInterrupt(): void {
  Deno.addSignalListener("SIGINT", () => {
    console.log("interrupted");
    Deno.exit(7);
  });
  setTimeout(() => console.log("never"), 5000);
}

const programs: Record<string, () => void> = {
  daemons() {
    startNewThread(sleepForEver);
    startNewThread(sleepForEver);
    console.log("goodbye!");
  },
  fail() {
    startNewThread(fail);
    while (activeCount() > 1) sleepSync(10);
  },
  exit() {
    new Thread({ target: sleepForEver, args: [] }).start();
    try {
      exit();
    } finally {
      console.log("never");
    }
  },
  interruptHere() {
    onInterrupt();
    interruptMain();
  },
  interruptFromAThread() {
    onInterrupt();
    new Thread({ target: interrupt, args: [] }).start();
  },
  interrupt() {
    new Thread({ target: interrupt, args: [] }).start();
    setTimeout(() => console.log("never"), 5000);
  },
};
programs[Deno.args[0]]();
