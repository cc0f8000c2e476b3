// All programs by which skein is explored.
import { programs as cancel } from "./cancel.ts";
import { programs as data } from "./data.ts";
import { programs as ends } from "./ends.ts";
import { programs as futures } from "./futures.ts";
import type { Program } from "./program.ts";
import { programs as sync } from "./sync.ts";

export const programs: Program[] = [
  ...sync,
  ...data,
  ...ends,
  ...cancel,
  ...futures,
];
