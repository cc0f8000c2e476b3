import {
  $,
  type Child,
  type ChildSync,
  daemonize,
  exec,
  execSync,
  getOutput,
  getOutputSync,
  getStatus,
  getStatusOutput,
  getStatusOutputSync,
  getStatusSync,
  mkarg,
  P_NOWAIT,
  P_WAIT,
  Pipeline,
  pipeline,
  popen2,
  popen2Sync,
  popen3,
  popen3Sync,
  popen4,
  popen4Sync,
  progressBar,
  quote,
  run,
  runSync,
  ShellCommand,
  spawn,
  spawnSync,
  startFile,
  system,
  systemSync,
  Template,
  type TextReader,
  type TextReaderSync,
  type TextWriter,
  type TextWriterSync,
  waitpid,
  waitpidNowait,
  waitpidSync,
  which,
  whichSync,
} from "../../../mod.ts";
import { toText } from "@std/streams/to-text";
import {
  bad,
  badAsyncWait,
  badWait,
  join,
  type Row,
  type Table,
} from "./table.ts";

const MISSING = ["skein-has-no-such-program"];

/** What is no command. */
const noCommand = (call: (cmd: never) => unknown): Row => ({
  TypeError: [
    5,
    null,
    undefined,
    {},
    [],
    [""],
    [1],
    ["echo", 1],
    ["echo", "a\0b"],
    "echo a\0b",
  ].map((cmd) => () => call(cmd as never)),
});

/** What is no command, and one that is not there. */
const badCommand = (call: (cmd: never) => unknown): Row =>
  join(noCommand(call), { NotFound: [() => call(MISSING as never)] });

/** The options that no command takes, without those of waiting. */
const badPlace = (call: (options: never) => unknown): Row => ({
  TypeError: [
    { cwd: 5 },
    { env: 5 },
    { env: { NAME: 5 } },
    { env: { "": "empty" } },
    { env: { "A=B": "c" } },
    { env: { "A\0": "b" } },
    { env: { A: "b\0" } },
    { env: new Map([["A", "b"]]) },
    { cwd: "/tmp\0" },
    { cwd: new URL("http://localhost/") },
    { cwd: new URL("file:///tmp%00") },
    { clearEnv: 1 },
    { noSuchOption: undefined },
  ].map((options) => () => call(options as never)),
});

/** The options that no command takes. */
const badOptions = (call: (options: never) => unknown): Row =>
  join(join(badWait(call), badPlace(call)), {
    TypeError: [
      { killSignal: 5n },
      { killGrace: "1" },
      { maxBuffer: "1" },
      { check: "no" },
      { killTree: 1 },
      { killTree: "group" },
      { stdin: "piped" },
      { stderr: "stdout" },
      { stderr: 5 },
      { stderr: { path: "/tmp/a\0" } },
      { all: 1 },
      { verbose: "yes" },
      { uid: "root" },
      { gid: null },
      { umask: "077" },
    ].map((options) => () => call(options as never)),
    RangeError: [
      { killSignal: "SIGFOO" },
      { killSignal: 1000 },
      { killGrace: -1 },
      { maxBuffer: -1 },
      { maxBuffer: NaN },
      { uid: -1 },
      { gid: 1.5 },
      { umask: -1 },
      { umask: 0o1000 },
    ].map((options) => () => call(options as never)),
  });

const badAsyncOptions = (call: (options: never) => unknown): Row =>
  join(join(badOptions(call), badAsyncWait(call)), {
    TypeError: [{ tee: 5 }, { onProgress: 5 }].map((options) => () =>
      call(options as never)
    ),
  });

/** What names no file. */
const BAD_FILES = [
  { path: "/tmp/a\0" },
  { path: "/tmp/a", append: "yes" },
  new URL("http://localhost/"),
  new URL("file:///tmp/a%00"),
];

const badSource = (call: (source: never) => unknown): Row => ({
  TypeError: [5, null, {}, true, ...BAD_FILES].map((source) => () =>
    call(source as never)
  ),
});

const badSink = (call: (sink: never) => unknown): Row => ({
  TypeError: [5, null, {}, "somewhere", ...BAD_FILES].map((sink) => () =>
    call(sink as never)
  ),
});

const both = (
  cmd: (cmd: never) => unknown,
  options: (options: never) => unknown,
) => join(badCommand(cmd), badAsyncOptions(options));
const bothSync = (
  cmd: (cmd: never) => unknown,
  options: (options: never) => unknown,
) => join(badCommand(cmd), badOptions(options));

const badPid = (wait: (pid: never) => unknown): Row => ({
  TypeError: ["1", 1.5, null, undefined].map((pid) => () => wait(pid as never)),
  NotFound: [() => wait(Deno.pid as never), () => wait(-1 as never)],
});

const text = pipeline(["printf", "a"]);
const failing = pipeline(["printf", "a"], ["sh", "-c", "exit 3"]);
const elsewhere = pipeline(["true"]).to("null");
const needsLoop = pipeline(["cat"]).from(new Blob(["a"]).stream());

/** A pipeline's way to run, with a failing one and one that cannot. */
const badRun = (call: (pipe: typeof text) => unknown): Row => ({
  CommandError: [() => call(failing)],
  NotFound: [() => call(pipeline(MISSING))],
});
const badRead = (call: (pipe: typeof text) => unknown): Row =>
  join(badRun(call), { TypeError: [() => call(elsewhere)] });
const badRunSync = (call: (pipe: typeof text) => unknown): Row =>
  join(badRun(call), { TypeError: [() => call(needsLoop)] });

/** What says wrongly how text is made of bytes. */
const badText = (call: (options: never) => unknown): Row => ({
  TypeError: [5, { trim: 1 }, { encoding: 8 }, { encode: "utf-8" }].map(
    (options) => () => call(options as never),
  ),
  RangeError: [() => call({ encoding: "utf-9" } as never)],
});
const badName = (call: (name: never, options?: never) => unknown): Row => ({
  TypeError: [
    ...["", "a\0b", 5, null].map((name) => () => call(name as never)),
    ...[5, { path: 5 }, { path: "a\0b" }, { all: true }].map((options) => () =>
      call("sh" as never, options as never)
    ),
  ],
});
const badReadSync = (call: (pipe: typeof text) => unknown): Row =>
  join(badRead(call), badRunSync(call));

/** What a stream of a pipeline is not. */
const badReadable = (make: (options: never) => unknown): Row => ({
  TypeError: [5, null, { from: "stdin" }, { from: 5 }, { form: "stdout" }].map(
    (options) => () => make(options as never),
  ),
});

/** Streams and processes that have ended, made when the test begins. */
export const ended = {} as {
  child: Child;
  reader: TextReader;
  writer: TextWriter;
  childSync: ChildSync;
  readerSync: TextReaderSync;
  writerSync: TextWriterSync;
};

/** Starts programs, waits for their ends and closes what they leave. */
export async function endAll(): Promise<void> {
  const { stdin, stdout, process } = popen2(["cat"]);
  await stdin.close();
  await stdout.close();
  await process.wait();
  const sync = popen2Sync(["cat"]);
  sync.stdin.close();
  sync.stdout.close();
  sync.process.waitSync();
  Object.assign(ended, {
    child: process,
    reader: stdout,
    writer: stdin,
    childSync: sync.process,
    readerSync: sync.stdout,
    writerSync: sync.stdin,
  });
}

const badCount = (read: (count: never) => unknown): Row => ({
  TypeError: [() => read(bad.text), () => read(bad.null)],
  RangeError: [() => read(-1 as never), () => read(1.5 as never)],
});

/** What cannot be put into a template. */
const badValue = (make: (value: never) => unknown): Row => ({
  TypeError: [null, undefined, true, {}, "a\0b", ["a", null], [["a"]]].map(
    (value) => () => make(value as never),
  ),
});

/** What `process` refuses. */
export const processTable: Table = {
  "Child.wait": badAsyncWait((options) => ended.child.wait(options)),
  "Child.kill": {
    TypeError: [() => ended.child.kill(bad.null)],
    RangeError: [
      () => ended.child.kill("SIGFOO" as never),
      () => ended.child.kill(0),
      () => ended.child.kill(9.5),
    ],
  },
  "ChildSync.waitSync": badWait((options) => ended.childSync.waitSync(options)),
  "ChildSync.kill": {
    TypeError: [() => ended.childSync.kill(bad.null)],
    RangeError: [
      () => ended.childSync.kill("SIGFOO" as never),
      () => ended.childSync.kill(0),
      () => ended.childSync.kill(9.5),
    ],
  },
  "$": join(badValue((value) => $`echo ${value}`), {
    TypeError: [
      () => $("ls" as never),
      () => $`echo ${"$"} # ${"a"}`,
      () => $`echo \`echo ${"a"}\``,
      () => $`echo "${["a", "b"]}"`,
      () => $`echo ${$`ls`.to("null")}`,
    ],
  }),
  "$.raw": join(badValue((value) => $.raw`echo ${value}`), {
    TypeError: [() => $.raw(5 as never), () => $.raw("a\0b")],
  }),
  "$.with": badAsyncOptions((options) => $.with(options)),
  "new ShellCommand": {
    TypeError: [
      () => new ShellCommand([]),
      () => new ShellCommand([{ cmd: "ls" }], 5 as never),
    ],
  },
  "ShellCommand.then": {
    CommandError: [() => $`exit 3`.then()],
    NotFound: [() => $`true`.with({ cwd: "/skein/none" }).then()],
  },
  "new Pipeline": join(
    {
      TypeError: [5, null, [], [5], [null], [["true"]], [{ cmd: 5 }]]
        .map((stages) => () => new Pipeline(stages as never)),
    },
    join(
      join(
        badSource((source) => new Pipeline([{ cmd: "true" }], source)),
        badSink((sink) => new Pipeline([{ cmd: "true" }], "", sink)),
      ),
      badAsyncOptions((options) =>
        new Pipeline([{ cmd: "true" }], "", "null", options)
      ),
    ),
  ),
  "Pipeline.from": badSource((source) => text.from(source)),
  "Pipeline.to": badSink((sink) => text.to(sink)),
  "Pipeline.with": badAsyncOptions((options) => text.with(options)),
  "Pipeline.run": badRun((pipe) => pipe.run()),
  "Pipeline.runSync": badRunSync((pipe) => pipe.runSync()),
  "Pipeline.text": join(
    badRead((pipe) => pipe.text()),
    badText((options) => text.text(options)),
  ),
  "Pipeline.textSync": join(
    badReadSync((pipe) => pipe.textSync()),
    badText((options) => text.textSync(options)),
  ),
  "Pipeline.bytes": badRead((pipe) => pipe.bytes()),
  "Pipeline.bytesSync": badReadSync((pipe) => pipe.bytesSync()),
  "Pipeline.json": badRead((pipe) => pipe.json()),
  "Pipeline.jsonSync": badReadSync((pipe) => pipe.jsonSync()),
  "Pipeline.lines": badRead((pipe) => Array.fromAsync(pipe.lines())),
  "Pipeline.linesSync": badReadSync((pipe) => [...pipe.linesSync()]),
  "Pipeline.status": badRun((pipe) => pipe.status()),
  "Pipeline.statusSync": badRunSync((pipe) => pipe.statusSync()),
  "which": badName(which),
  "whichSync": badName(whichSync),
  "Pipeline.tee": {
    TypeError: [
      () => text.tee(),
      () => text.tee(bad.none),
      () => text.tee(["cat"] as never),
      () => text.tee(text.from("spam")),
      () => text.tee(text, text.with({ stdin: "null" })),
    ],
  },
  "Pipeline.readable": join(badReadable((options) => text.readable(options)), {
    CommandError: [() => toText(failing.readable())],
    NotFound: [() => toText(pipeline(MISSING).readable())],
    TypeError: [() => elsewhere.readable()],
  }),
  "Pipeline.readableSync": badReadSync((pipe) => [...pipe.readableSync()]),
  "Pipeline.transform": join(
    badReadable((options) => text.transform(options)),
    {
      CommandError: [() => toText(failing.transform().readable)],
      NotFound: [() => toText(pipeline(MISSING).transform().readable)],
      TypeError: [
        () => elsewhere.transform(),
        () => text.from("spam").transform(),
        () => text.with({ stdin: "inherit" }).transform(),
      ],
    },
  ),
  "Pipeline.start": badRun((pipe) => pipe.start().result()),
  "Pipeline.startSync": badRunSync((pipe) => pipe.startSync().resultSync()),
  "RunningPipeline.result": badRun((pipe) => pipe.start().status()),
  "RunningPipeline.stdin": {
    TypeError: [
      () => text.from("spam").start().stdin,
      () => text.with({ stdin: "null" }).start().stdin,
    ],
  },
  "RunningPipeline.lines": {
    CommandError: [() => Array.fromAsync(failing.start().lines())],
    NotFound: [() => Array.fromAsync(pipeline(MISSING).start().lines())],
    TypeError: [
      () => elsewhere.start().lines(),
      () => elsewhere.start().stdout,
      () => {
        const running = text.start();
        running.lines();
        return running.lines();
      },
    ],
  },
  "RunningPipeline.kill": {
    TypeError: [() => text.start().kill(bad.null)],
    RangeError: [
      () => text.start().kill("SIGFOO" as never),
      () => text.start().kill(9.5),
    ],
  },
  "RunningPipelineSync.linesSync": badReadSync((pipe) => {
    using running = pipe.startSync();
    return [...running.linesSync()];
  }),
  "RunningPipelineSync.resultSync": badRunSync((pipe) =>
    pipe.startSync().statusSync()
  ),
  "RunningPipelineSync.kill": {
    TypeError: [() => text.startSync().kill(bad.null)],
    RangeError: [
      () => text.startSync().kill("SIGFOO" as never),
      () => text.startSync().kill(9.5),
    ],
  },
  "Template.append": {
    TypeError: [
      () => new Template().append(bad.number, "--"),
      () => new Template().append("cat", bad.number),
      () => new Template().append(bad.none, "--"),
    ],
    RangeError: [
      () => new Template().append("cat", "x-" as never),
      () => new Template().append("cat", "f-"),
    ],
  },
  "Template.prepend": {
    TypeError: [() => new Template().prepend(bad.number, "--")],
    RangeError: [() => new Template().prepend("cat", "-x" as never)],
  },
  // Whatever it is given counts as true or false.
  "Template.debug": {},
  "Template.copy": {
    TypeError: [
      () => new Template().copy(bad.number, ""),
      () => new Template().copy("", bad.number),
      () => new Template().copy("a\0b", ""),
      () => new Template().copy("", "a\0b"),
      () => new Template().copy("", "", { env: { "": "" } }),
    ],
  },
  "Template.copySync": {
    TypeError: [
      () => new Template().copySync(bad.number, ""),
      () => new Template().copySync("", bad.number),
      () => new Template().copySync("a\0b", ""),
      () => new Template().copySync("", "a\0b"),
      () => new Template().copySync("", "", { env: { "": "" } }),
    ],
  },
  "Template.open": {
    TypeError: [
      () => new Template().open(bad.number, "r"),
      () => new Template().open("a\0b", "w"),
    ],
    RangeError: [() => new Template().open("/dev/null", "rw" as never)],
  },
  "Template.openSync": {
    TypeError: [
      () => new Template().openSync(bad.number, "r"),
      () => new Template().openSync("a\0b", "w"),
    ],
    RangeError: [() => new Template().openSync("/dev/null", "rw" as never)],
  },
  "TextReader.read": badCount((count) => ended.reader.read(count)),
  "TextReaderSync.read": badCount((count) => ended.readerSync.read(count)),
  "TextWriter.write": {
    TypeError: [
      () => ended.writer.write(bad.number),
      () => ended.writer.write("after close()"),
    ],
  },
  "TextWriterSync.write": {
    TypeError: [
      () => ended.writerSync.write(bad.number),
      () => ended.writerSync.write("after close()"),
    ],
  },
  daemonize: {
    TypeError: [
      5,
      { flags: "-A" },
      { flags: [5] },
      { flags: ["a\0b"] },
      { cwd: 5 },
      { log: "a\0b" },
      { noSuchOption: 5 },
    ].map((options) => () => daemonize(options as never)),
  },
  exec: join(
    badCommand((cmd) => exec(cmd)),
    badPlace((o) => exec(["true"], o)),
  ),
  execSync: join(
    badCommand((cmd) => execSync(cmd)),
    badPlace((o) => execSync(["true"], o)),
  ),
  getOutput: join(
    badCommand(getOutput),
    badAsyncOptions((o) => getOutput("true", o)),
  ),
  getOutputSync: join(
    badCommand(getOutputSync),
    badOptions((o) => getOutputSync("true", o)),
  ),
  getStatus: badAsyncOptions((o) => getStatus("/dev/null", o)),
  getStatusSync: badOptions((o) => getStatusSync("/dev/null", o)),
  getStatusOutput: join(
    badCommand(getStatusOutput),
    badAsyncOptions((o) => getStatusOutput("true", o)),
  ),
  getStatusOutputSync: join(
    badCommand(getStatusOutputSync),
    badOptions((o) => getStatusOutputSync("true", o)),
  ),
  mkarg: { TypeError: [() => mkarg(bad.number), () => mkarg("a\0b")] },
  pipeline: {
    TypeError: [
      () => pipeline(),
      ...[5, null, {}, [], [""], [1], { cmd: 5 }].map((cmd) => () =>
        pipeline(cmd as never)
      ),
      () => pipeline({ cmd: "true", cwd: bad.number }),
      () => pipeline({ cmd: "true", timeout: 5 } as never),
      () => pipeline({ cmd: "true", env: { "A=B": "c" } }),
    ],
  },
  popen2: join(badCommand(popen2), badPlace((o) => popen2(["true"], o))),
  popen2Sync: join(
    badCommand(popen2Sync),
    badPlace((o) => popen2Sync(["true"], o)),
  ),
  popen3: join(badCommand(popen3), badPlace((o) => popen3(["true"], o))),
  popen3Sync: join(
    badCommand(popen3Sync),
    badPlace((o) => popen3Sync(["true"], o)),
  ),
  popen4: join(badCommand(popen4), badPlace((o) => popen4(["true"], o))),
  popen4Sync: join(
    badCommand(popen4Sync),
    badPlace((o) => popen4Sync(["true"], o)),
  ),
  progressBar: { TypeError: [() => progressBar(bad.number)] },
  quote: { TypeError: [() => quote(bad.number), () => quote("a\0b")] },
  run: join(
    both((cmd) => run(cmd), (o) => run(["true"], o)),
    join(
      badSource((input) => run(["true"], { input })),
      badSink((stdout) => run(["true"], { stdout })),
    ),
  ),
  runSync: join(
    bothSync((cmd) => runSync(cmd), (o) => runSync(["true"], o)),
    join(
      badSource((input) => runSync(["true"], { input })),
      badSink((stdout) => runSync(["true"], { stdout })),
    ),
  ),
  spawn: join(
    join(
      badCommand((cmd) => spawn(P_WAIT, cmd)),
      badPlace((o) => spawn(P_NOWAIT, ["true"], o)),
    ),
    {
      RangeError: [() => spawn(9 as never, ["true"])],
      TypeError: [() => spawn(bad.text, ["true"])],
    },
  ),
  spawnSync: join(
    join(
      badCommand((cmd) => spawnSync(P_WAIT, cmd)),
      badPlace((o) => spawnSync(P_WAIT, ["true"], o)),
    ),
    {
      RangeError: [() => spawnSync(9 as never, ["true"])],
      TypeError: [() => spawnSync(bad.text, ["true"])],
    },
  ),
  startFile: {
    TypeError: [() => startFile(bad.number), () => startFile("a\0b")],
  },
  system: both(system, (o) => system(["true"], o)),
  systemSync: bothSync(systemSync, (o) => systemSync(["true"], o)),
  waitpid: badPid((pid) => waitpid(pid)),
  waitpidSync: badPid((pid) => waitpidSync(pid)),
  waitpidNowait: badPid((pid) => waitpidNowait(pid)),
};
