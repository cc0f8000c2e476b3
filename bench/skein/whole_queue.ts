// Whole programs with a queue, as users write them: a thread puts, and the main
// thread blocks until it gets. Run: deno run -A whole_queue.ts ROW; prints
// {"name", "ns"}, what each item took after the first.
import { Queue } from "../../queue/mod.ts";
import { sendable, Thread } from "../../threading/mod.ts";

const numbers = sendable(
  import.meta,
  function numbers(queue: Queue<number>, count: number): void {
    for (let i = 0; i < count; i++) queue.putSync(i);
  },
);

interface Item {
  id: number;
  name: string;
  priority: number;
  tags: string[];
}

const objects = sendable(
  import.meta,
  function objects(queue: Queue<Item>, count: number): void {
    for (let i = 0; i < count; i++) {
      queue.putSync({ id: i, name: "spam", priority: 3, tags: ["a", "b"] });
    }
  },
);

function check(i: number, id: number): void {
  if (id === i) return;
  throw new Error(`Cannot measure: item ${i} is missing, received ${id}`);
}

/** The rows, each with the number behind its name; they give milliseconds. */
const ROWS: Record<string, (count: number) => number> = {
  numbers(count) {
    const queue = new Queue<number>();
    const producer = new Thread({ target: numbers, args: [queue, count] });
    producer.start();
    check(0, queue.getSync());
    const start = performance.now();
    for (let i = 1; i < count; i++) check(i, queue.getSync());
    const took = performance.now() - start;
    producer.joinSync();
    return took;
  },
  objects(count) {
    const queue = new Queue<Item>();
    const producer = new Thread({ target: objects, args: [queue, count] });
    producer.start();
    check(0, queue.getSync().id);
    const start = performance.now();
    for (let i = 1; i < count; i++) check(i, queue.getSync().id);
    const took = performance.now() - start;
    producer.joinSync();
    return took;
  },
};

if (import.meta.main) {
  const [name, text] = Deno.args[0].split(" ");
  if (!Object.hasOwn(ROWS, name)) {
    throw new RangeError(`Cannot run the row: it is unknown, received ${name}`);
  }
  const count = Number(text);
  const ns = ROWS[name](count) * 1e6 / (count - 1);
  console.log(JSON.stringify({ name, ns }));
}
