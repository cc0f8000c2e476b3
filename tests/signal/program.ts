// What only a whole process can show: run with the name of a case.
import {
  abortOn,
  alarm,
  defaultIntHandler,
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
import { Event, sleepSync, Thread } from "../../threading/mod.ts";
import {
  handle,
  handleForEver,
  interrupt,
  setAlarm,
  waitForSignal,
} from "./thread_fixture.ts";

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
    signal("SIGALRM", () => ticks++);
    setitimer(ITIMER_REAL, 10, 10);
    sleepSync(200);
    console.log(ticks);
    await pause();
    setitimer(ITIMER_REAL, 0);
    console.log(ticks);
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
