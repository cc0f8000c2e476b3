// The worker of the package poolifier.
import { ThreadWorker } from "poolifier";
import task from "./pool_task.js";

export default new ThreadWorker(task);
