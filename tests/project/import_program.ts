// Prints which globals are read by the import of skein, and by a queue of common
// values, whose first use loads a module of node:, which takes 10 ms and more.
const NAMES = [
  "Buffer",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "process",
  "setImmediate",
  "setInterval",
  "setTimeout",
];

const read = new Set<string>();
for (const name of NAMES) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name)!;
  Object.defineProperty(globalThis, name, {
    configurable: true,
    get() {
      read.add(name);
      return before.get === undefined
        ? before.value
        : before.get.call(globalThis);
    },
    set: (value) => before.set?.call(globalThis, value),
  });
}

const { Queue } = await import("../../mod.ts");
const queue = new Queue<unknown>();
for (const item of [{ id: 1, tags: ["a"] }, new Map(), new Date(), Error()]) {
  queue.putSync(item);
  queue.getSync();
}
console.log(JSON.stringify([...read]));
