// What only a whole process can show: run with the name of a case.
import {
  abortOn,
  alarm,
  defaultIntHandler,
  getSignal,
  ITIMER_REAL,
  kill,
  onShutdown,
  pause,
  raiseSignal,
  setitimer,
  SIG_DFL,
  SIG_IGN,
  signal,
  sigwait,
  sleep,
} from "../../signal/mod.ts";
import { startHelper } from "../../_internal/worker_module.ts";
import { Header, words } from "../../threading/_ground.ts";
import { Queue } from "../../queue/mod.ts";
import { Event, sleepSync, Thread } from "../../threading/mod.ts";
import {
  alarmAndCompute,
  askAndBlock,
  askTooLate,
  compute,
  handle,
  handleForEver,
  handlePipe,
  handleTooLate,
  interrupt,
  setAlarm,
  waitForSignal,
} from "./thread_fixture.ts";

/** What `sayHeard` runs in a worker. */
function hear([buffer, given]: [ArrayBufferLike, number]): void {
  const words = new Int32Array(buffer);
  while (Atomics.load(words, given) === 0) Atomics.wait(words, given, 0, 5);
  console.log("heard");
}

/**
 * Says when the keeper has had the first signal, which it gives to this program;
 * the main thread, blocked, takes nothing.
 */
function sayHeard(): void {
  const data = [words.buffer, Header.givenSignals];
  startHelper("hearing", `const main = ${hear};`, data);
}

/** Ways to keep the main thread from its event loop. */
const blockings: Record<string, () => void> = {
  "sleepSync": () => sleepSync(60_000),
  "getSync": () => new Queue().getSync({ timeout: 60_000 }),
  "joinSync": () => {
    const thread = new Thread({ target: handleForEver, args: [new Event()] });
    thread.start();
    thread.joinSync();
  },
  "a busy loop": () => compute(60_000),
};

/** Cases that keep their promise however the main thread is kept. */
const promises: Record<string, () => void> = {
  "onShutdown": () => onShutdown(() => console.log("cleanup")),
  "onShutdown, a deadline": () =>
    onShutdown(() => console.log("cleanup"), { deadline: 200 }),
  "abortOn": () => abortOn("SIGINT", "SIGTERM"),
};

const cases: Record<string, () => unknown> = {
  "raise without a handler": async () => {
    raiseSignal("SIGTERM");
    await sleep(5000);
  },
  "raise after SIG_DFL": async () => {
    signal("SIGUSR2", () => console.log("handled"));
    raiseSignal("SIGUSR2");
    await pause();
    signal("SIGUSR2", SIG_DFL);
    raiseSignal("SIGUSR2");
    await sleep(5000);
  },
  "raise with SIG_IGN": async () => {
    signal("SIGUSR2", SIG_IGN);
    for (let i = 0; i < 10; i++) raiseSignal("SIGUSR2");
    console.log(await sleep(50));
  },
  "a handler alone": () => {
    signal("SIGTERM", () => {});
    signal("SIGALRM", () => {});
    alarm(30);
    using _ = abortOn("SIGINT");
    onShutdown(() => {});
  },
  "a last line that blocks": () => {
    signal("SIGUSR2", () => console.log("handled"));
    console.log("ready");
    sleepSync(500);
  },
  "a last line that blocks past an alarm": () => {
    signal("SIGALRM", () => console.log("handled"));
    alarm(0.05);
    sleepSync(100);
  },
  "a last line that blocks, and a timer that goes on": () => {
    signal("SIGALRM", () => console.log("handled"));
    setitimer(ITIMER_REAL, 1, 1);
    sleepSync(100);
  },
  "a handler that throws": async () => {
    signal("SIGTERM", () => {
      throw new Error("thrown by the handler");
    });
    raiseSignal("SIGTERM");
    await sleep(5000);
    await sleep(5000);
  },
  "a handler that rejects": async () => {
    signal("SIGTERM", () => Promise.reject(new Error("rejected by it")));
    raiseSignal("SIGTERM");
    await sleep(5000);
    await sleep(5000);
  },
  "a handler that throws, survived": async () => {
    for (const type of ["error", "unhandledrejection"]) {
      addEventListener(type, (event) => {
        event.preventDefault();
        console.log(type);
      });
    }
    signal("SIGTERM", () => {
      throw new Error("thrown by the handler");
    });
    signal("SIGHUP", () => Promise.reject(new Error("rejected by it")));
    for (let i = 0; i < 2; i++) {
      raiseSignal("SIGTERM");
      await sleep(5000);
      raiseSignal("SIGHUP");
      await sleep(5000);
    }
    await sleep(10);
  },
  "defaultIntHandler": async () => {
    addEventListener("unload", () => console.log("unload"));
    signal("SIGINT", defaultIntHandler);
    raiseSignal("SIGINT");
    await sleep(5000);
    await sleep(5000);
  },
  "alarm, idle": async () => {
    alarm(0.2);
    await sleep(5000);
  },
  "alarm, busy": () => {
    alarm(0.2);
    for (;;);
  },
  "alarm, blocked": () => {
    alarm(0.2);
    sleepSync(5000);
  },
  "alarm, busy after SIG_DFL": () => {
    signal("SIGALRM", () => {});
    alarm(0.2);
    signal("SIGALRM", SIG_DFL);
    for (;;);
  },
  "alarm, replaced by a later one": async () => {
    alarm(2);
    alarm(30);
    await sleep(2100);
    console.log("alive");
  },
  "alarm, cancelled while blocked": () => {
    alarm(2);
    sleepSync(100);
    alarm(0);
    sleepSync(2100);
    console.log("alive");
  },
  "setitimer, handled once free": async () => {
    let ticks = 0;
    signal("SIGALRM", () => {
      ticks++;
      setitimer(ITIMER_REAL, 0);
    });
    setitimer(ITIMER_REAL, 10, 10);
    sleepSync(200);
    console.log(ticks);
    await pause();
    // Those that came meanwhile are one; the next may have been on its way.
    await sleep(50);
    console.log(ticks === 1 || ticks === 2);
  },
  "interruptMain": async () => {
    const got = sigwait(["SIGINT"]);
    new Thread({ target: interrupt }).start();
    console.log(await got);
  },
  "raise after a thread's handler": async () => {
    const thread = new Thread({ target: handle });
    thread.start();
    await thread.join();
    console.log("ended");
    raiseSignal("SIGUSR2");
    await sleep(5000);
  },
  "raise after a killed thread's handler": async () => {
    const ready = new Event();
    const thread = new Thread({ target: handleForEver, args: [ready] });
    thread.start();
    await ready.wait();
    thread.terminate();
    await thread.join().catch(() => console.log("killed"));
    // Its worker is gone a moment later.
    for (let i = 0; i < 200; i++) {
      raiseSignal("SIGUSR2");
      await sleep(20);
    }
  },
  "sigwait in a thread, the main one blocked": () => {
    const ready = new Event();
    const thread = new Thread({ target: waitForSignal, args: [ready] });
    thread.start();
    ready.waitSync();
    raiseSignal("SIGTERM");
    console.log(thread.joinSync());
  },
  "a thread's alarm, its thread gone, nobody handles it": async () => {
    const thread = new Thread({ target: setAlarm, args: [0.3] });
    thread.start();
    await thread.join();
    await sleep(200);
    for (;;);
  },
  "a thread's alarm, both busy": () => {
    const thread = new Thread({ target: alarmAndCompute });
    thread.start();
    thread.joinSync();
  },
  "kill a child": async () => {
    const child = new Deno.Command("deno", {
      args: ["eval", "setTimeout(() => {}, 20_000)"],
    }).spawn();
    kill(child.pid, 0);
    kill(child.pid);
    console.log((await child.status).signal);
    try {
      kill(child.pid, 0);
    } catch (error) {
      console.log((error as Error).name);
    }
  },
  "sigwait again and again": async () => {
    for (let i = 0; i < 500; i++) {
      const all = [sigwait(["SIGUSR2"]), sigwait(["SIGUSR2", "SIGHUP"])];
      raiseSignal("SIGUSR2");
      await Promise.all(all);
    }
  },
  "kill another": () => {
    try {
      kill(1, 0);
    } catch (error) {
      console.log((error as Error).name);
    }
    kill(Deno.pid, 0);
    kill(Deno.pid, "SIGTERM");
    return sleep(5000);
  },
  "bursts": async () => {
    let handled = 0;
    let raised = 0;
    let seen = 0;
    signal("SIGUSR2", () => {
      handled++;
      seen = raised;
    });
    const rss = () => Deno.memoryUsage().rss / 2 ** 20;
    const burst = async () => {
      for (let i = 0; i < 20_000; i++) {
        raised++;
        raiseSignal("SIGUSR2");
        if (i % 1000 === 0) await new Promise((go) => setTimeout(go, 0));
      }
      const end = performance.now() + 5000;
      while (seen !== raised && performance.now() < end) {
        await new Promise((go) => setTimeout(go, 10));
      }
    };
    await burst();
    const before = rss();
    for (let i = 0; i < 4; i++) await burst();
    console.log(raised === seen && handled > 0, raised, rss() - before < 40);
  },
  "shutdown": async () => {
    onShutdown(async (signum, name) => {
      console.log("cleaning", signum, name);
      await new Promise((done) => setTimeout(done, 50));
      console.log("clean");
    });
    onShutdown(() => console.log("also"));
    onShutdown(() => console.log("not this one"), { signals: ["SIGHUP"] });
    onShutdown(() => console.log("nor that one"))[Symbol.dispose]();
    raiseSignal("SIGTERM");
    await sleep(5000);
    await sleep(5000);
  },
  "shutdown that fails": async () => {
    onShutdown(() => {
      throw new Error("no cleanup");
    }, { signals: ["SIGINT"] });
    raiseSignal("SIGINT");
    await sleep(5000);
    await sleep(5000);
  },
  "shutdown that hangs": () => {
    onShutdown(() => new Promise(() => {}), { deadline: 100 });
    raiseSignal("SIGTERM");
    return new Promise((go) => setTimeout(go, 50));
  },
  "shutdown at the end": () => {
    onShutdown(() => console.log("cleanup"));
    raiseSignal("SIGTERM");
    // The signal arrives, and nothing else is left to do.
    compute(100);
  },
  "shutdown, a second signal": async () => {
    onShutdown(async () => {
      console.log("cleaning");
      raiseSignal("SIGINT");
      await new Promise((done) => setTimeout(done, 5000));
    });
    raiseSignal("SIGTERM");
    await sleep(5000);
    await sleep(5000);
  },
  "abortOn, a second signal": async () => {
    const signal = abortOn("SIGINT", "SIGTERM");
    raiseSignal("SIGINT");
    await sleep(5000, { signal }).catch((error) => console.log(error.message));
    raiseSignal("SIGTERM");
    await sleep(5000);
  },
  "promise": () => {
    promises[Deno.args[1]]();
    sayHeard();
    console.log("ready");
    blockings[Deno.args[2]]();
  },
  "promise, the node keeper": () => {
    for (const symbol of Object.getOwnPropertySymbols(Worker.prototype)) {
      if (symbol.description === undefined) {
        Reflect.deleteProperty(Worker.prototype, symbol);
      }
    }
    promises[Deno.args[1]]();
    if (Deno.args[2] === "end") return;
    sayHeard();
    console.log("ready");
    blockings[Deno.args[2]]();
  },
  "promise of a thread": () => {
    const ready = new Event();
    const thread = new Thread({ target: askAndBlock, args: [ready] });
    thread.start();
    ready.waitSync();
    sayHeard();
    console.log("ready");
    if (Deno.args[1] === "joinSync") thread.joinSync();
    else compute(60_000);
  },
  "shutdown, besides a handler": () => {
    onShutdown(() => console.log("cleanup"));
    signal("SIGINT", () => {});
    sayHeard();
    console.log("ready");
    compute(60_000);
  },
  "removed": async () => {
    const [, how, from] = Deno.args;
    const handler = () => console.log("handled");
    let remove: () => void;
    if (how === "abortOn") {
      const aborted = abortOn("SIGINT");
      aborted.onabort = handler;
      remove = () => aborted[Symbol.dispose]();
    } else if (how === "onShutdown") {
      const shutdown = onShutdown(handler, { signals: ["SIGINT"] });
      remove = () => shutdown[Symbol.dispose]();
    } else if (how === "sigwait") {
      const controller = new AbortController();
      sigwait(["SIGINT"], controller).then(handler, () => {});
      remove = () => controller.abort();
    } else {
      const before = signal("SIGINT", handler);
      remove = () => {
        if (how === "SIG_DFL") signal("SIGINT", before);
        if (how === "SIG_IGN") signal("SIGINT", SIG_IGN);
        if (how === "handler") {
          signal("SIGINT", () => console.log("handled by the next"));
        }
      };
    }
    if (from === "turned") await sleep(20);
    raiseSignal("SIGINT");
    compute(100);
    remove();
    await sleep(500);
    console.log("alive");
  },
  "removed, and blocked": () => {
    const before = signal("SIGINT", () => {});
    signal("SIGINT", before);
    console.log("ready");
    compute(60_000);
  },
  "removed by itself": async () => {
    signal("SIGINT", () => {
      console.log("handled");
      raiseSignal("SIGINT");
      compute(100);
      signal("SIGINT", SIG_DFL);
    });
    raiseSignal("SIGINT");
    await sleep(5000);
    await sleep(500);
    console.log("alive");
  },
  "removed, while others handle it": async () => {
    const aborted = abortOn("SIGINT");
    signal("SIGINT", () => {});
    raiseSignal("SIGINT");
    compute(100);
    signal("SIGINT", SIG_DFL);
    await sleep(500);
    console.log(aborted.aborted);
  },
  "ignored again": async () => {
    signal("SIGINT", SIG_IGN);
    await sleep(20);
    raiseSignal("SIGINT");
    compute(100);
    signal("SIGINT", SIG_DFL);
    await sleep(100);
    console.log("alive");
    raiseSignal("SIGINT");
    await sleep(5000);
  },
  "removed in a thread": async () => {
    const args: [string] = [Deno.args[1]];
    new Thread({ target: handleTooLate, args }).start();
    await sleep(5000);
    console.log("alive");
  },
  "abortOn of a thread that ends": async () => {
    new Thread({ target: askTooLate }).start();
    await sleep(5000);
    console.log("alive");
  },
  "abortOn of a thread that is killed": async () => {
    const ready = new Event();
    const thread = new Thread({ target: askAndBlock, args: [ready] });
    thread.start();
    await ready.wait();
    raiseSignal("SIGINT");
    compute(50);
    thread.terminate();
    await sleep(5000);
    console.log("alive");
  },
  "sleep in a handler": async () => {
    const left: Record<string, Promise<number | string>> = {};
    signal("SIGUSR2", () => {
      const aborted = abortOn("SIGUSR2");
      const over = (error: Error) => error.name;
      left.sleep = sleep(200);
      left.pause = pause({ timeout: 200 }).then(() => "ended", over);
      left.sigwait = sigwait(["SIGUSR2"], { timeout: 200 }).catch(over);
      left.abortOn = sleep(200).then(() => `${aborted.aborted}`);
    });
    abortOn("SIGUSR2");
    const paused = pause();
    raiseSignal("SIGUSR2");
    await paused;
    for (const [how, result] of Object.entries(left)) {
      console.log(how, await result);
    }
  },
  "SIGPIPE": async () => {
    const before = getSignal("SIGPIPE");
    console.log(before);
    const how = Deno.args[1];
    if (how === "signal") {
      console.log(signal("SIGPIPE", () => console.log("handled")) === before);
      raiseSignal("SIGPIPE");
      await pause();
      signal("SIGPIPE", before);
    } else if (how === "sigwait") {
      const got = sigwait(["SIGPIPE"]);
      raiseSignal("SIGPIPE");
      console.log(await got);
    } else if (how === "abortOn") {
      abortOn("SIGPIPE");
      raiseSignal("SIGPIPE");
      await pause();
    } else if (how === "thread") {
      const thread = new Thread({ target: handlePipe });
      thread.start();
      console.log(await thread.join());
    } else if (how === "SIG_DFL") {
      signal("SIGPIPE", SIG_DFL);
      console.log(getSignal("SIGPIPE"));
    }
    for (let i = 0; i < 3; i++) {
      raiseSignal("SIGPIPE");
      await new Promise((done) => setTimeout(done, 20));
    }
    console.log("alive", getSignal("SIGPIPE"));
  },
  "nohup": async () => {
    console.log(getSignal("SIGHUP"), getSignal("SIGTERM"));
    const how = Deno.args[1];
    if (how === "another handler") signal("SIGUSR2", () => {});
    if (how === "onShutdown") onShutdown(() => {}, { signals: ["SIGTERM"] });
    if (how === "restored") {
      const before = signal("SIGHUP", () => console.log("handled"));
      raiseSignal("SIGHUP");
      await pause();
      signal("SIGHUP", before);
    }
    if (how === "SIG_DFL") signal("SIGHUP", SIG_DFL);
    raiseSignal("SIGHUP");
    await sleep(50);
    console.log("survived");
    raiseSignal("SIGINT");
    await sleep(5000);
  },
  "cleanups that fail": async () => {
    const errors: string[] = [];
    if (Deno.args[1] === "prevented") {
      addEventListener("error", (event) => {
        event.preventDefault();
        errors.push(event.message);
      });
    }
    onShutdown(() => {
      throw new Error("first cleanup");
    });
    onShutdown(() => Promise.reject(new Error("second cleanup")));
    onShutdown(async () => {
      await new Promise((done) => setTimeout(done, 50));
      console.log("third cleanup", ...errors);
    });
    raiseSignal("SIGTERM");
    await sleep(5000);
    await sleep(5000);
  },
  "abort listeners that throw": async () => {
    addEventListener("error", (event) => {
      event.preventDefault();
      console.log(event.error.message);
    });
    for (const name of ["first", "second"]) {
      abortOn("SIGTERM").addEventListener("abort", () => {
        throw new Error(name);
      });
    }
    raiseSignal("SIGTERM");
    await pause();
    signal("SIGTERM", () => console.log("handled"));
    raiseSignal("SIGTERM");
    await pause();
  },
  "pause": async () => {
    signal("SIGTERM", () => console.log("handled"));
    console.log("ready");
    await pause();
    console.log("over");
  },
  "sigwait": async () => {
    const got = sigwait(["SIGTERM", "SIGINT"]);
    console.log("ready");
    console.log(await got);
    raiseSignal("SIGTERM");
    await sleep(5000);
  },
};

await cases[Deno.args[0]]();
