// All programs by which skein is explored.
import { programs as data } from "./data.ts";
import type { Program } from "./program.ts";
import { programs as sync } from "./sync.ts";

export const programs: Program[] = [...sync, ...data];
