/**
 * The entry module of the workers that explore. What takes the place of the
 * heap's own has to be there before the heap is loaded.
 *
 * @module
 */

import { role } from "./_steps.ts";

if (role.directs) await import("./_director.ts");
else await import("../threading/_worker.ts");
