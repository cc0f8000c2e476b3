// Calls what needs permissions, without any; prints what each threw.
import * as skein from "../../../mod.ts";

const CALLS: Record<string, () => unknown> = {
  $: () => skein.$`true`,
  daemonize: () => skein.daemonize(),
  exec: () => skein.exec(["true"]),
  execSync: () => skein.execSync(["true"]),
  getOutput: () => skein.getOutput("true"),
  getOutputSync: () => skein.getOutputSync("true"),
  getStatus: () => skein.getStatus("/dev/null"),
  getStatusSync: () => skein.getStatusSync("/dev/null"),
  getStatusOutput: () => skein.getStatusOutput("true"),
  getStatusOutputSync: () => skein.getStatusOutputSync("true"),
  kill: () => skein.kill(1, 0),
  "Pipeline.run": () => skein.pipeline(["true"], ["true"]).run(),
  "Pipeline.runSync": () => skein.pipeline(["true"], ["true"]).runSync(),
  "Pipeline.readable": () =>
    skein.pipeline(["true"]).readable().getReader().read(),
  "Pipeline.readableSync": () => skein.pipeline(["true"]).readableSync().next(),
  "Pipeline.start": () => skein.pipeline(["true"]).start().result(),
  "Pipeline.startSync": () => skein.pipeline(["true"]).startSync().resultSync(),
  "Pipeline.transform": () =>
    skein.pipeline(["true"]).transform().readable.getReader().read(),
  "Pipeline.linesSync": () => skein.pipeline(["true"]).linesSync().next(),
  popen2: () => skein.popen2(["true"]),
  popen2Sync: () => skein.popen2Sync(["true"]),
  popen3: () => skein.popen3(["true"]),
  popen3Sync: () => skein.popen3Sync(["true"]),
  popen4: () => skein.popen4(["true"]),
  popen4Sync: () => skein.popen4Sync(["true"]),
  run: () => skein.run(["true"]),
  runSync: () => skein.runSync(["true"]),
  "run to a file": () => skein.run(["true"], { stdout: { path: "/tmp/x" } }),
  "run from a file": () => skein.run(["true"], { input: { path: "/tmp/x" } }),
  spawn: () => skein.spawn(skein.P_NOWAIT, ["true"]),
  spawnSync: () => skein.spawnSync(skein.P_NOWAIT, ["true"]),
  startNewThread: () =>
    skein.startNewThread(skein.sendable(import.meta, function nothing() {})),
  startTrace: () => skein.startTrace({ path: "/tmp/x" }),
  system: () => skein.system(["true"]),
  systemSync: () => skein.systemSync(["true"]),
  "Template.copy": () => new skein.Template().copy("/dev/null", ""),
  "Template.copySync": () => new skein.Template().copySync("/dev/null", ""),
  "Template.open": () => new skein.Template().open("/dev/null", "r"),
  "Template.openSync": () => new skein.Template().openSync("/dev/null", "r"),
  "Thread.start": () => new skein.Thread().start(),
  which: () => skein.which("sh"),
  whichSync: () => skein.whichSync("sh"),
};

for (const [name, call] of Object.entries(CALLS)) {
  let outcome = "nothing";
  try {
    await call();
  } catch (error) {
    outcome = (error as Error).name;
  }
  console.log(`${name}: ${outcome}`);
}
