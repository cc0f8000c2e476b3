import type { Queue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";
import { type Item, item } from "./kinds_fixture.ts";

/** What a blocked thread does, and how many items it is about. */
export type Form = "getSync" | "getManySync" | "putSync" | "putManySync";

const TIMEOUT = { timeout: 60_000 };

/** Does it, and returns the numbers that it got, or the name of the error. */
export const block = sendable(
  import.meta,
  function block(
    queue: Queue<Item>,
    form: Form,
    numbers: number[],
  ): number[] | string {
    try {
      return call(queue, form, numbers);
    } catch (error) {
      return (error as Error).name;
    }
  },
);

function call(queue: Queue<Item>, form: Form, numbers: number[]): number[] {
  switch (form) {
    case "getSync":
      return [queue.getSync(TIMEOUT)[0]];
    case "getManySync":
      return queue.getManySync(numbers.length, TIMEOUT).map(([n]) => n);
    case "putSync":
      queue.putSync(item(numbers[0]), TIMEOUT);
      return [];
    case "putManySync":
      queue.putManySync(numbers.map(item), TIMEOUT);
      return [];
  }
}
