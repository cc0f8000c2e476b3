// The worker of the package workerpool.
import task from "./pool_task.js";

// Named by a variable: the package is only installed for the run.
const PACKAGE = "workerpool";
const { default: workerpool } = await import(PACKAGE);

workerpool.worker({ task });
