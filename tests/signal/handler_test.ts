import { assertEquals, assertThrows } from "@std/assert";
import { signalTest as test } from "../platform.ts";
import { Empty, Queue } from "../../queue/mod.ts";
import { Event, sleepSync } from "../../threading/mod.ts";
import {
  getSignal,
  kill,
  pause,
  raiseSignal,
  SIG_DFL,
  SIG_IGN,
  signal,
  type SignalAction,
  SignalInterrupt,
  Signals,
  type Signum,
  sleep,
} from "../../signal/mod.ts";

/** Lets all signals arrive that are on their way. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((go) => setTimeout(go, 4));
}

test("signal() returns the one before, getSignal() the current", () => {
  const first = () => {};
  const second = () => {};
  assertEquals(getSignal("SIGUSR2"), SIG_DFL);
  assertEquals(signal("SIGUSR2", first), SIG_DFL);
  assertEquals(getSignal(Signals.SIGUSR2!), first);
  assertEquals(signal(Signals.SIGUSR2!, second), first);
  assertEquals(signal("SIGUSR2", SIG_IGN), second);
  assertEquals(signal("SIGUSR2", SIG_DFL), SIG_IGN);
  assertEquals(getSignal("SIGUSR2"), SIG_DFL);
  assertEquals(getSignal("SIGKILL"), SIG_DFL);
});

test("signal() calls the handler with the number and the name", async () => {
  const got: unknown[] = [];
  signal("SIGUSR2", (...args) => got.push(args));
  raiseSignal(Signals.SIGUSR2!);
  assertEquals(got, []);
  await pause();
  assertEquals(got, [[Signals.SIGUSR2, "SIGUSR2"]]);
  signal("SIGUSR2", SIG_DFL);
});

test("signal() calls only the handler that is set", async () => {
  const got: string[] = [];
  signal("SIGUSR2", () => got.push("first"));
  signal("SIGUSR2", () => got.push("second"));
  raiseSignal("SIGUSR2");
  await settle();
  signal("SIGUSR2", SIG_IGN);
  raiseSignal("SIGUSR2");
  await settle();
  assertEquals(got, ["second"]);
  signal("SIGUSR2", SIG_DFL);
});

test("signal() may be called by a handler", async () => {
  const got: string[] = [];
  signal("SIGUSR2", () => {
    got.push("first");
    signal("SIGUSR2", () => {
      got.push("second");
      signal("SIGUSR2", SIG_IGN);
      signal("SIGWINCH", () => got.push("other"));
      raiseSignal("SIGWINCH");
    });
  });
  for (let i = 0; i < 3; i++) {
    raiseSignal("SIGUSR2");
    await settle();
  }
  assertEquals(got, ["first", "second", "other"]);
  signal("SIGUSR2", SIG_DFL);
  signal("SIGWINCH", SIG_DFL);
});

test("signal() refuses what cannot be caught", () => {
  for (
    const name of [
      "SIGKILL",
      "SIGSTOP",
      "SIGILL",
      "SIGFPE",
      "SIGSEGV",
    ] as const
  ) {
    for (const signum of [name, Signals[name]!]) {
      for (const action of [() => {}, SIG_IGN, SIG_DFL] as const) {
        assertThrows(() => signal(signum, action), TypeError, name);
      }
    }
  }
});

test("signal() refuses what is no signal or no handler", () => {
  const handler = () => {};
  assertThrows(() => signal(0, handler), RangeError, "received 0");
  assertThrows(() => signal(-1, handler), RangeError, "received -1");
  assertThrows(() => signal(14.5, handler), RangeError, "received 14.5");
  assertThrows(
    () => signal("SIGFOO" as Signum, handler),
    RangeError,
    'received "SIGFOO"',
  );
  assertThrows(() => signal("alrm" as Signum, handler), RangeError);
  assertThrows(() => signal(14n as unknown as Signum, handler), TypeError);
  for (const wrong of [undefined, null, 0, "SIG_IGN", Symbol("SIG_IGN")]) {
    assertThrows(
      () => signal("SIGUSR2", wrong as SignalAction),
      TypeError,
      "SIG_DFL or SIG_IGN",
    );
  }
  assertEquals(getSignal("SIGUSR2"), SIG_DFL);
});

test("signal() leaves the listeners of Deno alone", async () => {
  let got = 0;
  const listener = () => got++;
  Deno.addSignalListener("SIGUSR2", listener);
  signal("SIGUSR2", () => {});
  signal("SIGUSR2", SIG_DFL);
  raiseSignal("SIGUSR2");
  await settle();
  Deno.removeSignalListener("SIGUSR2", listener);
  assertEquals(got, 1);
});

test("getSignal(), raiseSignal(), kill() refuse what is no signal", () => {
  for (const call of [getSignal, raiseSignal, (s: Signum) => kill(1, s)]) {
    assertThrows(() => call(1000), RangeError, "received 1000");
    assertThrows(() => call("SIGFOO" as Signum), RangeError, '"SIGFOO"');
    assertThrows(() => call([] as unknown as Signum), TypeError, "an array");
  }
  assertThrows(() => raiseSignal(0), RangeError, "received 0");
  for (const pid of [NaN, 1.5, "1", undefined]) {
    assertThrows(() => kill(pid as number, 0), TypeError, "pid must be");
  }
});

test("SignalInterrupt says which signal it was", () => {
  const error = new SignalInterrupt(15, "SIGTERM");
  assertEquals([error.signum, error.signal], [15, "SIGTERM"]);
  assertEquals(String(error), "SignalInterrupt: SIGTERM was received");
});

const blockings = {
  "is busy": () => {
    const until = performance.now() + 50;
    while (performance.now() < until);
  },
  "sleeps": () => sleepSync(50),
  "waits for an Event": () => {
    assertThrows(() => new Event().waitSync({ timeout: 50 }), DOMException);
  },
  "gets from a Queue": () => {
    assertThrows(() => new Queue().getSync({ timeout: 50 }), Empty);
  },
};
for (const [how, block] of Object.entries(blockings)) {
  test(`signal() delivers a signal that comes while the thread ${how}`, async () => {
    let got = 0;
    signal("SIGUSR2", () => got++);
    raiseSignal("SIGUSR2");
    block();
    assertEquals(got, 0);
    await sleep(5000);
    assertEquals(got, 1);
    signal("SIGUSR2", SIG_DFL);
  });
}
