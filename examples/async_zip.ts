/**
 * A thread packs a file into a zip archive while the main program goes on.
 *
 * The program of the guide prints the lines below but the last, in which this
 * one says that it has unpacked the archive and found the file in it:
 *
 *     The main program continues to run in foreground.
 *     Finished background zip of: mydata.txt
 *     Main program waited until background was done.
 *     The archive holds mydata.txt, 4000000 bytes, unchanged.
 *
 * @module
 */

import { basename } from "node:path";
import { sendable, Thread } from "@skein/std/threading";
import { unzipSync, zipSync } from "fflate";

/** Packs a file into an archive, in the background. */
export class AsyncZip extends Thread<void> {
  static {
    sendable(import.meta, this);
  }

  constructor(private infile: string, private outfile: string) {
    super();
  }

  override run(): void {
    const name = basename(this.infile);
    const archive = zipSync({ [name]: Deno.readFileSync(this.infile) });
    Deno.writeFileSync(this.outfile, archive);
    console.log(`Finished background zip of: ${name}`);
  }
}

/** Numbers, one on a line, until there are so many bytes. */
function makeData(size: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size);
  const encoder = new TextEncoder();
  let end = 0;
  for (let n = 0; end < size; n++) {
    end += encoder.encodeInto(`${n ** 2}\n`, data.subarray(end)).written;
  }
  return data;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function main(folder: string): void {
  const infile = `${folder}/mydata.txt`;
  const outfile = `${folder}/myarchive.zip`;
  const data = makeData(4_000_000);
  Deno.writeFileSync(infile, data);

  const background = new AsyncZip(infile, outfile);
  background.start();
  console.log("The main program continues to run in foreground.");

  background.joinSync(); // wait until the background task is done
  console.log("Main program waited until background was done.");

  const files = unzipSync(Deno.readFileSync(outfile));
  for (const [name, found] of Object.entries(files)) {
    const result = equal(found, data) ? "unchanged" : "damaged";
    console.log(`The archive holds ${name}, ${found.length} bytes, ${result}.`);
  }
}

if (import.meta.main) {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  try {
    main(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
