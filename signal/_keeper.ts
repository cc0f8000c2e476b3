/**
 * The keeper: a worker that is never blocked and never busy, and so keeps what
 * is promised while the threads of the user are. It ends the process
 *
 * - when the alarm is due and nobody handles SIGALRM;
 * - when a shutdown passes its deadline, or a second signal comes during it;
 * - when a signal comes again that `abortOn` has had once.
 *
 * For the last two it must be the only one that listens to these signals: a
 * listener of Deno takes the kernel's action away from the process, and that of
 * a blocked thread cannot be removed. So threads do not listen for `abortOn` and
 * `onShutdown` themselves. They ask the keeper, which tells them by a message.
 *
 * A thread's request is answered in a word of its slot, for which it waits: when
 * `ask` returns the keeper listens, and when the asking is taken back it is
 * known whether a signal had come before that. A signal that was given to a
 * thread, which then no longer wanted it, meets the kernel's action.
 *
 * The main thread starts the keeper when it first needs it, and no other thread
 * can: those ask it to, and it does so from its event loop and from any of
 * skein's blocking waits.
 *
 * @module
 */

import { startHelper } from "../_internal/worker_module.ts";
import {
  addOnWake,
  CHANNEL,
  clockPair,
  compareExchange,
  hasMain,
  Header,
  isMain,
  load,
  MAIN_SLOT,
  type Message,
  self,
  Slot,
  SLOT_WORDS,
  store,
  TABLES,
  tell,
  wakeSlot,
  words,
} from "./_process.ts";
import { nameOf } from "../_internal/platform.ts";

/**
 * Where the alarm is, and what its words say.
 *
 * The first word is `IDLE`, `BUSY`, or the number of the setting that is armed;
 * the second the last number given; the doubles are the deadline and the
 * interval in milliseconds, by the main thread's clock. Whoever turns the first
 * word into `BUSY` may write the others, and ends by writing that word again. So
 * a double that was read while it stayed the same is whole. A thread does that
 * under a ground mutex, where it cannot be killed; the keeper never is.
 */
export const ALARM = {
  IDLE: 0,
  BUSY: -1,
  number: Header.alarm,
  last: Header.alarm + 1,
  deadline: Header.alarm / 2 + 1,
  interval: Header.alarm / 2 + 2,
} as const;

/** The alarm's words as a thread or the keeper sees them. */
export interface AlarmView {
  at: typeof ALARM;
  words: Int32Array;
  times: Float64Array;
  now: () => number;
}

/** Ends a change of the alarm. Its text is run by the keeper, too. */
export function releaseAlarm({ words, at }: AlarmView, armed: boolean): void {
  const number = armed ? words[at.last] % 0x7fff_ffff + 1 : at.IDLE;
  if (armed) words[at.last] = number;
  Atomics.store(words, at.number, number);
  Atomics.notify(words, at.number);
}

/**
 * Raises SIGALRM, unless somebody else has, or the alarm was set anew. Its text
 * is run by the keeper, too.
 */
export function strike(view: AlarmView, number: number): void {
  const { at, now, words, times } = view;
  if (
    Atomics.compareExchange(words, at.number, number, at.BUSY) !== number
  ) return;
  const interval = times[at.interval];
  if (interval > 0) {
    // A beat that was missed is not made up for.
    const missed = Math.floor((now() - times[at.deadline]) / interval);
    times[at.deadline] += interval * (Math.max(missed, 0) + 1);
  }
  releaseAlarm(view, interval > 0);
  Deno.kill(Deno.pid, "SIGALRM");
}

/**
 * Stops listening to a signal, and catches one that is on its way. Its text is
 * run by the keeper, too.
 *
 * Deno tells a listener of a signal when the event loop turns. If the listener
 * is removed meanwhile, the message still arrives, but finds an empty list. So
 * another listener is put on that list without listening anew, which would take
 * the kernel's action away again: Deno reads the name twice, first to find the
 * list, then to listen, and the second time there is no such signal. A version
 * of Deno that refuses earlier would lose such a signal, as its own listeners
 * do; a test tells.
 *
 * @param late Called if a signal was on its way.
 * @returns Takes `late` off the list; `undefined` if others of this thread
 * listen to the signal, which are told of it anyway.
 */
export function stopListening(
  name: Deno.Signal,
  listener: () => void,
  late: () => void,
): (() => void) | undefined {
  Deno.removeSignalListener(name, listener);
  let reads = 0;
  const readOnce = { toString: () => reads++ === 0 ? name : "" };
  try {
    Deno.addSignalListener(readOnce as unknown as Deno.Signal, late);
  } catch {
    return () => Deno.removeSignalListener(name, late);
  }
  Deno.removeSignalListener(name, late);
  return undefined;
}

const OFF = 0;
const WANTED = 1;
const STARTING = 2;
const UP = 3;

/** What the keeper must know of the memory. */
const LAYOUT = {
  channel: CHANNEL,
  alarm: ALARM,
  state: Header.signalKeeper,
  UP,
  kept: Header.keptSignals,
  given: Header.givenSignals,
  usedSlots: Header.usedSlots,
  slots: TABLES,
  slotWords: SLOT_WORDS,
  tid: Slot.tid,
  signals: Slot.signals,
  answer: Slot.keeperAnswer,
} as const;

interface KeeperData {
  buffer: ArrayBufferLike;
  now: number;
  wall: number;
  at: typeof LAYOUT;
}

type Ask = Extract<Message, { is: "ask" }>;

/** A signal that was given to those who had asked for it. */
interface Arrival {
  number: number;
  /** How many of them may still take it. */
  open: number;
  taken: boolean;
  beginsShutdown: boolean;
}

/** What the keeper runs; only its text gets there, so it is one function. */
function keep({ buffer, now: started, wall, at }: KeeperData): void {
  /** The time that the main thread has for ending the process itself. */
  const GRACE_MS = 100;
  /** The time that a signal has for ending the process. */
  const LAST_MS = 1000;
  /** In this time the event loops hear of what is on its way. */
  const LATE_MS = 10;
  const words = new Int32Array(buffer);
  const times = new Float64Array(buffer);
  const offset = started + performance.timeOrigin - wall;
  const now = () => performance.now() + offset;
  const channel = new BroadcastChannel(at.channel);

  const names = new Map<number, Deno.Signal>();
  const listeners = new Map<number, () => void>();
  /** Functions that remove the listeners for late signals. */
  const lates = new Map<number, () => void>();
  const asks = new Map<string, Ask>();
  /** What was given to the askers, until they say that they took it. */
  const given = new Map<string, { ask: Ask; arrival: Arrival }>();
  let watchingGiven = false;
  const ignored = new Set<number>();
  let leaving: ReturnType<typeof setTimeout> | undefined;

  const isWanted = (number: number) =>
    [...asks.values()].some(({ numbers }) =>
      numbers.some(([wanted]) => wanted === number)
    );

  /** Listens to what is asked for, and to nothing else. */
  function settle(): void {
    const wanted = new Set(ignored);
    for (const { numbers } of asks.values()) {
      for (const [number] of numbers) wanted.add(number);
    }
    for (const number of wanted) if (!listeners.has(number)) listen(number);
    for (const number of [...listeners.keys()]) {
      if (!wanted.has(number)) unlisten(number);
    }
  }

  function listen(number: number): void {
    lates.get(number)?.();
    lates.delete(number);
    // Later, since nobody may be removed while Deno goes through its list.
    const listener = () => queueMicrotask(() => arrive(number));
    Deno.addSignalListener(names.get(number)!, listener);
    listeners.set(number, listener);
    Atomics.or(words, at.kept + (number - 1 >> 5), 1 << (number - 1 & 31));
  }

  function unlisten(number: number): void {
    const listener = listeners.get(number)!;
    listeners.delete(number);
    unmark(number);
    const forget = stopListening(
      names.get(number)!,
      listener,
      () => queueMicrotask(() => unheard(number)),
    );
    if (forget === undefined) return;
    lates.set(number, forget);
    // Twice: the first may come before Deno's message does.
    setTimeout(() =>
      setTimeout(() => {
        if (lates.get(number) !== forget) return;
        lates.delete(number);
        forget();
      }, LATE_MS), LATE_MS);
  }

  /**
   * Notes that a signal is no longer kept: when the threads that got it have
   * taken it, and some time later. A thread that is told of the same signal
   * then, and no longer handles it, must know that others did.
   */
  function unmark(number: number): void {
    setTimeout(() => {
      if (listeners.has(number)) return;
      for (const { arrival } of given.values()) {
        if (arrival.number === number) return;
      }
      const bit = 1 << (number - 1 & 31);
      Atomics.and(words, at.kept + (number - 1 >> 5), ~bit);
    }, GRACE_MS);
  }

  function give(id: string, gift?: { ask: Ask; arrival: Arrival }): void {
    if (gift === undefined) given.delete(id);
    else given.set(id, gift);
    Atomics.store(words, at.given, given.size);
  }

  const isAlive = ({ slot, tid }: Ask) =>
    Atomics.load(words, slot + at.tid) === tid;

  /** Takes back what was given to a thread that has been killed. */
  function watchGiven(): void {
    if (watchingGiven) return;
    watchingGiven = true;
    setTimeout(() => {
      watchingGiven = false;
      for (const [id, { ask }] of [...given]) {
        if (!isAlive(ask)) drop({ id, taken: false });
      }
      if (given.size > 0) watchGiven();
    }, GRACE_MS);
  }

  function arrive(number: number): void {
    for (const [id, ask] of asks) if (!isAlive(ask)) asks.delete(id);
    const due = [...asks.values()].filter(({ numbers }) =>
      numbers.some(([wanted]) => wanted === number)
    );
    if (due.length === 0) return unheard(number);
    const deadlines = due.flatMap(({ deadline }) => deadline ?? []);
    const again = deadlines.length > 0 && leaving !== undefined;
    const beginsShutdown = deadlines.length > 0 && !again;
    const arrival: Arrival = {
      number,
      open: due.length,
      taken: false,
      beginsShutdown,
    };
    for (const ask of due) {
      give(ask.id, { ask, arrival });
      // A shutdown listens on, for the second signal.
      if (ask.deadline === undefined) asks.delete(ask.id);
    }
    watchGiven();
    channel.postMessage({
      is: "came",
      number,
      name: names.get(number)!,
      ids: due.map(({ id }) => id),
      at: now(),
      again,
    });
    if (again) setTimeout(() => end(number), GRACE_MS);
    if (beginsShutdown) {
      const most = Math.max(...deadlines) + GRACE_MS;
      leaving = setTimeout(() => end(number), Math.min(most, 0x7fff_ffff));
    }
    settle();
  }

  /** Gives a signal that nobody has taken to others, or to the kernel. */
  function unheard(number: number): void {
    if (isWanted(number)) return arrive(number);
    settle();
    if (ignored.has(number) || isHandled(number)) return;
    raise(number);
  }

  /** Has the kernel do what it does about a signal. */
  function raise(number: number): void {
    try {
      Deno.kill(Deno.pid, names.get(number)!);
    } catch {
      // Windows can only end a process, and has few names for that.
      Deno.kill(Deno.pid, "SIGKILL");
    }
  }

  /** Whether a thread has a handler for a signal. */
  function isHandled(number: number): boolean {
    const used = words[at.usedSlots];
    for (let i = 0; i < used; i++) {
      const slot = at.slots + i * at.slotWords;
      const note = slot + at.signals;
      const tid = Atomics.load(words, note);
      if (tid === 0 || tid !== Atomics.load(words, slot + at.tid)) continue;
      const bits = Atomics.load(words, note + 1 + (number - 1 >> 5));
      if (bits >>> (number - 1 & 31) & 1) return true;
    }
    return false;
  }

  function drop({ id, taken }: { id: string; taken: boolean }): void {
    const arrival = given.get(id)?.arrival;
    give(id, undefined);
    if (arrival !== undefined) unmark(arrival.number);
    if (taken) {
      if (arrival !== undefined) arrival.taken = true;
      return;
    }
    asks.delete(id);
    settle();
    if (arrival === undefined || arrival.taken || --arrival.open > 0) return;
    if (arrival.beginsShutdown) {
      clearTimeout(leaving);
      leaving = undefined;
    }
    unheard(arrival.number);
  }

  /** Ends the process by a signal, whatever the threads do. */
  function end(number: number): void {
    asks.clear();
    ignored.clear();
    settle();
    raise(number);
    // Somebody else listens to it, or it does not end a process.
    setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), LAST_MS);
  }

  async function watchAlarm(): Promise<void> {
    const { alarm } = at;
    while (true) {
      const number = Atomics.load(words, alarm.number);
      const left = number > alarm.IDLE
        ? times[alarm.deadline] - now()
        : Infinity;
      if (left > 0) {
        const wait = Atomics.waitAsync(words, alarm.number, number, left);
        if (wait.async) await wait.value;
      } else {
        strike({ at: alarm, words, times, now }, number);
      }
    }
  }

  function obey(data: Message): boolean {
    if (data.is === "drop") {
      drop(data);
      return true;
    }
    if (data.is !== "ask" && data.is !== "ignore") return false;
    for (const [number, name] of data.numbers) names.set(number, name);
    if (data.is === "ask") {
      asks.set(data.id, data);
    } else {
      for (const [number] of data.numbers) {
        if (data.on) ignored.add(number);
        else ignored.delete(number);
      }
    }
    settle();
    return true;
  }

  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    let answer = 0;
    try {
      if (!obey(data) || !("serial" in data)) return;
      answer = data.serial;
    } catch {
      // The platform cannot listen to it: the thread will find out why.
      if (!("serial" in data)) return;
      if (data.is === "ask") asks.delete(data.id);
      answer = -data.serial;
    }
    // Nobody waits for this one.
    if (answer === 0) return;
    Atomics.store(words, data.slot + at.answer, answer);
    Atomics.notify(words, data.slot + at.answer);
  };
  watchAlarm();
  Atomics.store(words, at.state, at.UP);
  Atomics.notify(words, at.state);
}

/** A module of its own would need the permission to read its file. */
const SOURCE = `
  const main = ${keep};
  const strike = ${strike};
  const releaseAlarm = ${releaseAlarm};
  const stopListening = ${stopListening};
`;

/** Starts the keeper from the main thread, and does not wait for it. */
function startKeeper(): void {
  const state = load(Header.signalKeeper);
  if (state !== OFF && state !== WANTED) return;
  store(Header.signalKeeper, STARTING);
  Atomics.notify(words, Header.signalKeeper);
  const data: KeeperData = { buffer: words.buffer, ...clockPair(), at: LAYOUT };
  try {
    startHelper("signals of @skein/std", SOURCE, data);
  } catch (error) {
    store(Header.signalKeeper, OFF);
    throw error;
  }
}

/** Asks for the keeper, and does not wait for it. */
export function requestKeeper(): void {
  if (isMain) startKeeper();
  else if (compareExchange(Header.signalKeeper, OFF, WANTED) === OFF) {
    wakeSlot(MAIN_SLOT);
  }
}

if (isMain) {
  addOnWake(() => {
    if (words[Header.signalKeeper] === WANTED) startKeeper();
  });
}

/** Milliseconds that a thread waits for the main one, which may be busy. */
const MAIN_PATIENCE_MS = 1000;
/** Milliseconds that it waits for the keeper, which never is. */
const PATIENCE_MS = 10_000;

/** Waits until `is` holds of a word; whoever writes the word notifies. */
function waitUntil(
  word: number,
  ms: number,
  is: (value: number) => boolean,
): boolean {
  const until = performance.now() + ms;
  for (;;) {
    const value = load(word);
    if (is(value)) return true;
    const left = until - performance.now();
    if (left <= 0) return false;
    Atomics.wait(words, word, value, left);
  }
}

/** Whether the keeper runs. */
export function keeperIsUp(): boolean {
  return load(Header.signalKeeper) === UP;
}

/** Waits for the keeper; false if the main thread does not start it in time. */
export function ensureKeeper(): boolean {
  const word = Header.signalKeeper;
  if (keeperIsUp()) return true;
  if (!hasMain) return false;
  requestKeeper();
  return waitUntil(word, MAIN_PATIENCE_MS, (state) => state >= STARTING) &&
    waitUntil(word, PATIENCE_MS, (state) => state === UP);
}

let lastSerial = Math.abs(load(self + Slot.keeperAnswer));

/**
 * Waits until the keeper has done what a message says.
 *
 * @returns False if it could not listen to the signals.
 */
export function request(message: (serial: number) => Message): boolean {
  lastSerial = lastSerial % 0x7fff_ffff + 1;
  const word = self + Slot.keeperAnswer;
  tell(message(lastSerial));
  waitUntil(word, PATIENCE_MS, (answer) => Math.abs(answer) === lastSerial);
  return load(word) !== -lastSerial;
}

/** Has the keeper ignore signals for the process, or no longer. */
export function keepIgnoring(numbers: number[], on: boolean): void {
  const named = withNames(numbers);
  request((serial) => ({
    is: "ignore",
    numbers: named,
    slot: self,
    on,
    serial,
  }));
}

/** Signals with their names, as the keeper needs them. */
export function withNames(numbers: Iterable<number>): [number, Deno.Signal][] {
  return Array.from(numbers, (number) => [number, nameOf(number)]);
}
