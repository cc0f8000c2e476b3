/**
 * A map as the servers have it: a bucket of NATS's key-value store.
 *
 * @module
 */

import { type KV, type KvEntry, Kvm, KvWatchInclude } from "@nats-io/kv";
import { StorageType } from "@nats-io/jetstream";
import { headers, nuid } from "@nats-io/transport-node";
import { ApiError, explained, type Link } from "./link.ts";
import { Once, type Patience } from "./patience.ts";

/** The value of a key, as bytes; none if it was deleted. */
export interface Entry {
  readonly bytes: Uint8Array | undefined;
  /** The number of the change that made it. */
  readonly revision: number;
  /** The name of that change. */
  readonly change: string | undefined;
}

/** A change that somebody watches. */
export interface Change extends Entry {
  readonly key: string;
}

/** A map as the servers have it. */
export class MapCore {
  readonly #link: Link;
  readonly #bucket: string;
  readonly #opening = new Once((patience) => this.#open(patience));

  private constructor(link: Link, name: string) {
    this.#link = link;
    // A bucket may have no dots; so `_` leads in what stands for others.
    const plain = name.replaceAll("_", "__").replaceAll(".", "_-");
    this.#bucket = `skein_map_${plain}`;
  }

  /** The map of a name. */
  static of(link: Link, name: string): MapCore {
    return link.shared(`map ${name}`, () => new MapCore(link, name));
  }

  #opened(patience: Patience): Promise<KV> {
    this.#link.check(patience.what);
    return this.#opening.get(patience);
  }

  #open(patience: Patience): Promise<KV> {
    const { replicas, storage } = this.#link.settings;
    return this.#link.persist(
      () =>
        new Kvm(this.#link.connection).create(this.#bucket, {
          history: 1,
          replicas,
          storage: storage === "file" ? StorageType.File : StorageType.Memory,
          // Any replica would answer, also one that is behind.
          allow_direct: false,
        }),
      patience,
    );
  }

  #subject(key: string): string {
    return `$KV.${this.#bucket}.${encodeKey(key)}`;
  }

  /** What a key has, or had before it was deleted. */
  async get(key: string, patience: Patience): Promise<Entry | undefined> {
    await this.#opened(patience);
    try {
      const { message } = await this.#link.api<
        { message: { seq: number; hdrs?: string; data?: string } }
      >(`STREAM.MSG.GET.KV_${this.#bucket}`, {
        last_by_subj: this.#subject(key),
      }, patience);
      const text = atob(message.hdrs ?? "");
      const isGone = /^(KV-Operation: *(DEL|PURGE)|Nats-Marker-Reason:)/m
        .test(text);
      return {
        bytes: isGone ? undefined : Uint8Array.fromBase64(message.data ?? ""),
        revision: message.seq,
        change: /^Nats-Msg-Id: *(\S+)/m.exec(text)?.[1],
      };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw explained(error, patience.what);
    }
  }

  /**
   * Changes the value of a key.
   *
   * @param bytes The value; `undefined` deletes it.
   * @param expected The revision that it must have; 0 if it must have none.
   * @returns The new revision, or `undefined` if it has another one than the
   * expected.
   */
  async set(
    key: string,
    bytes: Uint8Array | undefined,
    expected: number | undefined,
    patience: Patience,
  ): Promise<number | undefined> {
    await this.#opened(patience);
    const most = this.#link.maxItem;
    if (bytes !== undefined && bytes.length > most) {
      throw new RangeError(
        `Cannot ${patience.what}: the server takes values of up to ${most} bytes, received one of ${bytes.length}`,
      );
    }
    const h = headers();
    const change = nuid.next();
    h.set("Nats-Msg-Id", change);
    if (expected !== undefined) {
      h.set("Nats-Expected-Last-Subject-Sequence", String(expected));
    }
    if (bytes === undefined) h.set("KV-Operation", "DEL");
    try {
      const { seq } = await this.#link.askJson<{ seq: number }>(
        this.#subject(key),
        bytes ?? "",
        patience,
        h,
      );
      return seq;
    } catch (error) {
      const conflict = error instanceof ApiError &&
        (error.code === 10071 || error.code === 10164);
      if (!conflict) throw explained(error, patience.what);
      // An answer was lost, if it is this very change that is in the way.
      const entry = await this.get(key, patience.atLeast(1000));
      return entry?.change === change ? entry.revision : undefined;
    }
  }

  /** The same, but one that was deleted has no revision for the caller. */
  async setOrMake(
    key: string,
    bytes: Uint8Array,
    expected: number | undefined,
    patience: Patience,
  ): Promise<number | undefined> {
    const revision = await this.set(key, bytes, expected, patience);
    if (revision !== undefined || expected !== 0) return revision;
    const entry = await this.get(key, patience);
    if (entry === undefined || entry.bytes !== undefined) return undefined;
    return await this.set(key, bytes, entry.revision, patience);
  }

  /**
   * Deletes a key.
   *
   * @param expected The revision that it must have, if any.
   * @returns Whether it had a value, and that revision.
   */
  async delete(
    key: string,
    expected: number | undefined,
    patience: Patience,
  ): Promise<boolean> {
    for (;;) {
      const entry = await this.get(key, patience);
      if (entry?.bytes === undefined) return false;
      const { revision } = entry;
      if ((expected ?? revision) !== revision) return false;
      const deleted = await this.set(key, undefined, revision, patience);
      if (deleted !== undefined) return true;
    }
  }

  /** The keys that have values. */
  async keys(patience: Patience): Promise<string[]> {
    const kv = await this.#opened(patience);
    return await this.#link.persist(async () => {
      const keys: string[] = [];
      for await (const key of await kv.keys()) keys.push(decodeKey(key));
      return keys;
    }, patience);
  }

  /**
   * What the keys have, and from then on each change, until the connection is
   * closed or `stop` is called.
   */
  async watch(
    key: string | undefined,
    patience: Patience,
  ): Promise<{ changes: AsyncIterable<Change>; stop: () => void }> {
    const kv = await this.#opened(patience);
    const link = this.#link;
    const watch = await link.persist(
      () =>
        kv.watch({
          key: key === undefined ? ">" : encodeKey(key),
          include: KvWatchInclude.LastValue,
        }),
      patience,
    );
    const ignore = link.changes.listen(() => {
      if (link.isClosed) watch.stop();
    });
    const stop = () => {
      ignore();
      watch.stop();
    };
    return { changes: changesOf(watch), stop };
  }
}

async function* changesOf(
  watch: AsyncIterable<KvEntry>,
): AsyncGenerator<Change> {
  for await (const entry of watch) {
    yield {
      key: decodeKey(entry.key),
      bytes: entry.operation === "PUT" ? entry.value : undefined,
      revision: entry.revision,
      change: undefined,
    };
  }
}

/** A key as a part of a subject: what it may not have is `=` and its byte. */
function encodeKey(key: string): string {
  const bytes = new TextEncoder().encode(key);
  return Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return /[\w-]/.test(letter)
      ? letter
      : `=${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}

function decodeKey(text: string): string {
  const percent = text.replaceAll("=", "%");
  try {
    return decodeURIComponent(percent);
  } catch {
    // Another program has written it.
    return text;
  }
}
