/**
 * Run as a program of its own, with a small limit of memory: a thread runs out
 * of it that has received items.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { Queue } from "../../queue/mod.ts";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import { hold } from "./delivery_fixture.ts";
import { type Item, item } from "./kinds_fixture.ts";

if (import.meta.main) {
  const queue = new Queue<Item>();
  queue.putManyNowait([1, 2].map(item));
  const received = new Event();
  const holder = new Thread({
    target: hold,
    args: [queue, 2, received, "out of memory"],
  });
  holder.start();
  await assertRejects(() => holder.join(), ThreadingError, "out of memory");
  const back = [queue.receiveNowait(), queue.receiveNowait()];
  assertEquals(back.map((each) => each.item), [1, 2].map(item));
  for (const each of back) each.ack();
  queue.joinSync();
  console.log("done");
}
