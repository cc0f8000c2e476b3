// The helper of `_sync.ts`, in a thread of its own.
import { workerData } from "node:worker_threads";
import { flatten } from "./_error_wire.ts";
import { Execution } from "./_execution.ts";
import { sendSignal } from "./_kill.ts";
import { spawn } from "./_spawn.ts";
import { standIn } from "./_stand_in.ts";
import type { Outcome } from "./_outcome.ts";
import type { SentPlan } from "./_plan.ts";
import { endOf } from "./_status.ts";
import {
  type Answer,
  HELPER,
  type HelperData,
  type Message,
  type Request,
  type SentOutcome,
  settle,
  share,
  type SharedBytes,
  unshare,
  Word,
} from "./_sync.ts";

const children = new Map<number, Deno.ChildProcess>();
const executions = new Map<number, Execution>();
let lastId = 0;

// The module is also imported, for nothing, by every other thread: see `mod.ts`.
if (isHelperData(workerData)) serve(workerData);

function isHelperData(data: unknown): data is HelperData {
  return typeof data === "object" && data !== null && HELPER in data;
}

function serve({ port, words }: HelperData): void {
  /** The request under way: whoever sent it sleeps until it is answered. */
  let asked: number | undefined;
  const answer = (answer: Answer) => {
    if (answer.id !== asked) return;
    asked = undefined;
    // The asker looks for an answer after it has read this count, and before it
    // sleeps on it: posted first, counted second, none is missed.
    port.postMessage(answer);
    Atomics.add(words, Word.answers, 1);
    Atomics.notify(words, Word.answers);
  };
  // An error that nobody caught would end this thread, and leave the asker
  // asleep. Nothing is known of what it belongs to, so it is the answer.
  const rescue = (event: Event, error: unknown) => {
    event.preventDefault();
    if (asked !== undefined) answer({ id: asked, error: flatten(error) });
  };
  addEventListener("error", (event) => rescue(event, event.error));
  addEventListener(
    "unhandledrejection",
    (event) => rescue(event, event.reason),
  );
  port.on("message", async (message: Message) => {
    if (message === "ping") return void Atomics.add(words, Word.pongs, 1);
    const { id, request } = message;
    asked = id;
    try {
      answer({ id, value: await answerTo(request) });
    } catch (error) {
      answer({ id, error: flatten(error) });
    }
  });
}

/** A plan with the bytes of its source in it. */
function planOf({ plan, input }: { plan: SentPlan; input?: SharedBytes }) {
  return input === undefined ? plan : { ...plan, source: unshare(input) };
}

function sent({ stages, stdout }: Outcome): SentOutcome {
  return {
    stages: stages.map(({ status, stderr }) => ({
      status,
      stderr: share(stderr),
    })),
    stdout: share(stdout),
  };
}

async function answerTo(request: Request): Promise<unknown> {
  switch (request.type) {
    case "execute":
      return sent(await (await Execution.start(planOf(request))).finish());
    case "open":
      executions.set(++lastId, await Execution.start(planOf(request), true));
      return lastId;
    case "read": {
      const { value } = await executions.get(request.id)!.output!.read();
      return value && share(value);
    }
    case "close": {
      const execution = executions.get(request.id)!;
      executions.delete(request.id);
      return await execution.close(request.early);
    }
    case "spawn": {
      const child = spawn(request.argv, request.options);
      children.set(child.pid, child);
      endOf(child).then((status) => {
        children.delete(child.pid);
        settle(request.state, status);
      });
      return child.pid;
    }
    case "exec":
      return await standIn(request.argv, request.options);
    case "kill": {
      const child = children.get(request.pid);
      return child !== undefined && sendSignal(child, request.signal);
    }
  }
}
