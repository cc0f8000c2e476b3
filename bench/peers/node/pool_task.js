// What the tasks of the pools do.
import process from "node:process";

const buffer = new Uint8Array(65_536);

const works = {
  same: (n) => n,
  // Only who calls it loads what it needs.
  hash: (n) =>
    process.getBuiltinModule("node:crypto").createHash("sha256")
      .update(buffer.fill(n)).digest("hex"),
  prime(n) {
    if (n % 2 === 0) return n === 2;
    for (let i = 3; i * i <= n; i += 2) {
      if (n % i === 0) return false;
    }
    return n > 1;
  },
  compute(ms) {
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
};

/** What all of them call. */
export default function task({ work, n }) {
  return works[work](n);
}
