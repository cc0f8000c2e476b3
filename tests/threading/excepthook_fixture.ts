import { sendable, Thread } from "../../threading/mod.ts";

const later = () => Promise.reject(new RangeError("lost in a promise"));

/** How code of a thread can go wrong: the last words are those of the error. */
const faults: Record<string, () => unknown> = {
  // What joining the thread throws.
  run() {
    throw new RangeError("thrown");
  },
  "a promise": () => Promise.reject(new RangeError("thrown in a promise")),
  "a thenable": () => ({
    then() {
      throw new RangeError("thrown by then");
    },
  }),
  "a getter of then": () => ({
    get then(): unknown {
      throw new RangeError("thrown by a getter of then");
    },
  }),
  "a getter of the result": () => ({
    get value(): unknown {
      throw new RangeError("thrown by a getter of the result");
    },
  }),
  "a getter of the error"() {
    throw Object.assign(new RangeError("thrown with a getter"), {
      get value(): unknown {
        throw new TypeError("thrown by the getter");
      },
    });
  },
  "a proxy"() {
    throw new Proxy({}, {
      getPrototypeOf() {
        throw new RangeError("thrown by a proxy");
      },
    });
  },
  // What only the excepthook hears of.
  "a promise that was forgotten"() {
    later();
    return 7;
  },
  "a promise in a promise"() {
    Promise.resolve().then(() => Promise.resolve()).then(later);
    return 7;
  },
  async "an async function that was forgotten"() {
    (async () => {
      await 0;
      throw new RangeError("lost behind an await");
    })();
    await 0;
    return 7;
  },
  "a microtask"() {
    queueMicrotask(() => {
      throw new RangeError("lost in a microtask");
    });
    return 7;
  },
};
export const thrown = Object.keys(faults).slice(0, 7);
export const lost = Object.keys(faults).slice(7);

export const goWrong = sendable(import.meta, function goWrong(how: string) {
  return faults[how]();
});

/** A thread whose fields go wrong when they are sent back. */
export class OddFields extends Thread<number> {
  static {
    sendable(import.meta, this);
  }
  override run() {
    Object.defineProperty(this, "odd", {
      enumerable: true,
      get() {
        throw new RangeError("thrown by a field");
      },
    });
    return 7;
  }
}

export const answer = sendable(import.meta, function answer() {
  return 42;
});
