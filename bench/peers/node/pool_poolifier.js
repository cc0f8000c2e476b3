// The worker of the package poolifier.
import task from "./pool_task.js";

// Named by a variable: the package is only installed for the run.
const PACKAGE = "poolifier";
const { ThreadWorker } = await import(PACKAGE);

export default new ThreadWorker(task);
