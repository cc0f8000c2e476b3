// The helper of `_sync.ts`, in a thread of its own.
import { workerData } from "node:worker_threads";
import { flatten } from "./_error_wire.ts";
import { Execution } from "./_execution.ts";
import { sendSignal } from "./_kill.ts";
import { spawn } from "./_spawn.ts";
import { standIn } from "./_stand_in.ts";
import { statusOf } from "./_status.ts";
import {
  type Answer,
  HELPER,
  type HelperData,
  type Request,
  settle,
} from "./_sync.ts";

const children = new Map<number, Deno.ChildProcess>();
const executions = new Map<number, Execution>();
let lastId = 0;

// The module is also imported, for nothing, by every other thread: see `mod.ts`.
if (isHelperData(workerData)) serve(workerData);

function isHelperData(data: unknown): data is HelperData {
  return typeof data === "object" && data !== null && HELPER in data;
}

function serve({ port, answers }: HelperData): void {
  port.on("message", async (request: Request) => {
    let answer: Answer;
    try {
      answer = { value: await answerTo(request) };
    } catch (error) {
      answer = { error: flatten(error) };
    }
    port.postMessage(answer);
    Atomics.add(answers, 0, 1);
    Atomics.notify(answers, 0);
  });
}

async function answerTo(request: Request): Promise<unknown> {
  switch (request.type) {
    case "execute":
      return await (await Execution.start(request.plan)).finish();
    case "open":
      executions.set(++lastId, await Execution.start(request.plan, true));
      return lastId;
    case "read":
      return (await executions.get(request.id)!.output!.read()).value;
    case "close": {
      const execution = executions.get(request.id)!;
      executions.delete(request.id);
      return await execution.close(request.early);
    }
    case "spawn": {
      const child = spawn(request.argv, request.options);
      children.set(child.pid, child);
      child.status.then((status) => {
        children.delete(child.pid);
        settle(request.state, statusOf(status));
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
