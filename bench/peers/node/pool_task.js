// What the tasks of the pools do.
import { createHash } from "node:crypto";

const buffer = new Uint8Array(65_536);

const works = {
  same: (n) => n,
  hash: (n) => createHash("sha256").update(buffer.fill(n)).digest("hex"),
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
