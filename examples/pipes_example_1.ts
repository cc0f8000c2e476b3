/**
 * The chapter's example of the pipes module: a pipeline that is put together
 * once and used on a file.
 *
 * It prints:
 *
 *     Alan Jones (sensible party)
 *     Kevin Phillips-Bong (slightly silly)
 *     Tarquin Fin-tim-lin-bin-whin-bim-lin-bus-stop-F'tang-F'tang-Olé-Biscuitbarrel
 *
 * @module
 */

import { Template } from "@skein/std/process";

const t = new Template();

// create a pipeline
t.append("sort", "--");
t.append("uniq", "--");

// filter some text
await t.copy(`${import.meta.dirname}/samples/sample.txt`, "");
