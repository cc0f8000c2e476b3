/**
 * The ends of a {@linkcode Template}'s pipeline that this program holds.
 *
 * @module
 */

import type { Child, ChildSync } from "./child.ts";
import type { TextReader, TextWriter } from "./text_stream.ts";
import type { TextReaderSync, TextWriterSync } from "./text_stream_sync.ts";

/** The end of a template's pipeline that is to be read. */
export interface TemplateReader extends AsyncDisposable {
  /** What the pipeline writes. */
  stdout: TextReader;
  /** Its shell. */
  process: Child;
  /** Stops reading, and gives the status of the last step. */
  close(): Promise<number>;
}

/** The end of a template's pipeline that is to be written to. */
export interface TemplateWriter extends AsyncDisposable {
  /** What the pipeline reads. */
  stdin: TextWriter;
  /** Its shell. */
  process: Child;
  /** Ends the input, waits for the end, and gives the last step's status. */
  close(): Promise<number>;
}

/** Like {@linkcode TemplateReader}, blocking the thread. */
export interface TemplateReaderSync extends Disposable {
  /** What the pipeline writes. */
  stdout: TextReaderSync;
  /** Its shell. */
  process: ChildSync;
  /** Stops reading, and gives the status of the last step. */
  close(): number;
}

/** Like {@linkcode TemplateWriter}, blocking the thread. */
export interface TemplateWriterSync extends Disposable {
  /** What the pipeline reads. */
  stdin: TextWriterSync;
  /** Its shell. */
  process: ChildSync;
  /** Ends the input, waits for the end, and gives the last step's status. */
  close(): number;
}
