import { Event, sendable, shield } from "../../threading/mod.ts";
import {
  getOutputSync,
  P_NOWAIT,
  pipeline,
  popen2,
  popen2Sync,
  run,
  runSync,
  spawn,
  spawnSync,
  systemSync,
  waitpid,
  waitpidSync,
} from "../../process/mod.ts";
import { pause, sigwait, sleep } from "../../signal/mod.ts";

const CMD = (file: string) => `echo $$ > ${file}; exec sleep 600`;

/** Waits that write the number of their process into a file, if they have one. */
export const waits: Record<string, (file: string) => unknown> = {
  "runSync": (file) => runSync(CMD(file)),
  "run": (file) => run(CMD(file)),
  "runSync with a pipe": (file) => runSync(CMD(file), { input: "text" }),
  "getOutputSync": (file) => getOutputSync(CMD(file)),
  "systemSync": (file) => systemSync(CMD(file)),
  "pipeline.textSync": (file) => pipeline(CMD(file), "cat").textSync(),
  "pipeline.text": (file) => pipeline(CMD(file), "cat").text(),
  "pipeline.linesSync": (file) => {
    for (const _ of pipeline(CMD(file), "cat").linesSync());
  },
  "RunningPipelineSync.resultSync": (file) => {
    using running = pipeline(CMD(file), "cat").startSync();
    running.resultSync();
  },
  "RunningPipelineSync.stdout.read": (file) => {
    using running = pipeline(CMD(file), "cat").startSync();
    running.stdout.read();
  },
  "RunningPipelineSync.resultSync, cancelled before": (file) => {
    const running = pipeline(CMD(file), "cat").startSync();
    try {
      new Event().waitSync();
    } finally {
      running.resultSync();
    }
  },
  "RunningPipelineSync.resultSync after a wait, with using": (file) => {
    using running = pipeline(CMD(file), "cat").startSync();
    try {
      new Event().waitSync();
    } finally {
      running.resultSync();
    }
  },
  "pipeline.lines": async (file) => {
    for await (const _ of pipeline(CMD(file), "cat").lines());
  },
};

/** Waits that leave their process alone, as when they time out. */
export const leaving: Record<string, (file: string) => unknown> = {
  "ChildSync.waitSync": (file) => {
    const { process } = popen2Sync(CMD(file));
    try {
      process.waitSync();
    } finally {
      process.kill("SIGKILL");
    }
  },
  "Child.wait": async (file) => {
    const { process } = popen2(CMD(file));
    try {
      await process.wait();
    } finally {
      process.kill("SIGKILL");
      await shield(() => process.wait());
    }
  },
  "waitpidSync": (file) => waitpidSync(spawnSync(P_NOWAIT, CMD(file))),
  "waitpid": async (file) => await waitpid(await spawn(P_NOWAIT, CMD(file))),
  "waitpid of spawnSync": async (file) =>
    await waitpid(spawnSync(P_NOWAIT, CMD(file))),
  "signal.sleep": () => sleep(600_000),
  "signal.pause": () => pause(),
  "signal.sigwait": () => sigwait(["SIGUSR2"]),
};

export const wait = sendable(
  import.meta,
  function wait(name: string, file: string, ready: Event): unknown {
    ready.set();
    return (waits[name] ?? leaving[name])(file);
  },
);

/** Runs a command in a shield, which is not ended by being cancelled. */
export const shielded = sendable(
  import.meta,
  function shielded(ready: Event, go: Event): string {
    ready.set();
    shield(() => go.waitSync());
    return shield(() => runSync("echo done").stdout);
  },
);
