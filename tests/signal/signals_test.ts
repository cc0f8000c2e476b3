import { assert, assertEquals, assertThrows } from "@std/assert";
import { constants } from "node:os";
import {
  Signals,
  type Signum,
  strsignal,
  validSignals,
} from "../../signal/mod.ts";

Deno.test("Signals has the platform's numbers, and cannot be changed", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assertEquals(Signals[name as Deno.Signal], number);
  }
  assertEquals(Signals.SIGKILL, 9);
  assert(Object.isFrozen(Signals));
});

Deno.test("validSignals() gives a new set of all numbers", () => {
  const all = validSignals();
  assert(all.has(Signals.SIGTERM) && all.has(Signals.SIGKILL));
  all.clear();
  assert(validSignals().size > 0);
});

Deno.test("strsignal() describes every signal, by number and name", () => {
  assertEquals(strsignal(Signals.SIGTERM), "Terminated");
  assertEquals(strsignal("SIGHUP"), "Hangup");
  // Windows has no such signals.
  if (Signals.SIGALRM !== undefined) {
    assertEquals(strsignal(Signals.SIGALRM), "Alarm clock");
    assertEquals(strsignal("SIGIOT" as Signum), "Aborted");
  }
  for (const number of validSignals()) {
    assert(!/\d/.test(strsignal(number)) || /defined/.test(strsignal(number)));
  }
});

Deno.test("strsignal() refuses what is no signal", () => {
  assertThrows(() => strsignal(0), RangeError, "received 0");
  assertThrows(() => strsignal(1000), RangeError, "received 1000");
  assertThrows(() => strsignal(NaN), RangeError);
  assertThrows(
    () => strsignal("SIGFOO" as Signum),
    RangeError,
    'received "SIGFOO"',
  );
  assertThrows(() => strsignal("toString" as Signum), RangeError);
  assertThrows(
    () => strsignal(null as unknown as Signum),
    TypeError,
    "received null",
  );
  assertThrows(() => strsignal({} as Signum), TypeError, "received an object");
});
