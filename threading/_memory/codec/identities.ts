/**
 * The objects that an encoder has met, numbered in the order of meeting.
 *
 * @module
 */

/** Up to here a scan of the list is faster than a `Map`. */
const SCANNED = 8;

/**
 * The objects met in one message.
 *
 * Invariant: `#numbers` is empty, or holds exactly the first `#count` items of
 * `#list`, each with its index; items from `#count` on are undefined.
 */
export class Identities {
  #list: (object | undefined)[] = [];
  #count = 0;
  #numbers: Map<object, number> | undefined;

  /** How many objects were met. */
  get count(): number {
    return this.#count;
  }

  /** The number of `object`, or -1 when it was not met. */
  find(object: object): number {
    if (this.#numbers !== undefined) return this.#numbers.get(object) ?? -1;
    const list = this.#list;
    for (let i = 0; i < this.#count; i++) {
      if (list[i] === object) return i;
    }
    return -1;
  }

  /** Gives `object`, which was not met before, the next number. */
  add(object: object): void {
    const number = this.#count++;
    this.#list[number] = object;
    if (this.#numbers !== undefined) {
      this.#numbers.set(object, number);
    } else if (number === SCANNED) {
      this.#numbers = new Map();
      for (let i = 0; i <= SCANNED; i++) this.#numbers.set(this.#list[i]!, i);
    }
  }

  /** Forgets all objects but the first `count`. */
  truncate(count: number): void {
    while (this.#count > count) {
      const object = this.#list[--this.#count]!;
      this.#list[this.#count] = undefined;
      this.#numbers?.delete(object);
    }
  }

  /** Forgets all objects. */
  clear(): void {
    if (this.#numbers === undefined) {
      for (let i = 0; i < this.#count; i++) this.#list[i] = undefined;
    } else {
      this.#list = [];
      this.#numbers = undefined;
    }
    this.#count = 0;
  }
}
