// The worker of the package workerpool.
import workerpool from "workerpool";
import task from "./pool_task.js";

workerpool.worker({ task });
