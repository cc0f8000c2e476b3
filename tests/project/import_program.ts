// Prints which globals the import of skein reads whose first use loads a module
// of node:, which takes 10 ms and more.
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

await import("../../mod.ts");
console.log(JSON.stringify([...read]));
