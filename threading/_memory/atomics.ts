/**
 * Atomic operations on the shared heap, as WebAssembly instructions.
 *
 * V8 compiles a call of `Atomics.compareExchange` to a call of a builtin (about
 * 11 ns), and a call of one of these functions, inlined, to the bare instruction
 * (about 4 ns): an uncontended lock is that much cheaper. Every address is a word
 * index: the address of a 32-bit word divided by four. All of them are
 * sequentially consistent, like `Atomics`.
 *
 * @module
 */

type Word = number;

/** The operations, bound to one memory. */
export interface AtomicOperations {
  /** The word's value. */
  load(word: Word): number;
  /** Writes the word. */
  store(word: Word, value: number): void;
  /** Writes the word and returns what it was. */
  exchange(word: Word, value: number): number;
  /** Adds to the word and returns what it was. */
  add(word: Word, value: number): number;
  /** Sets bits of the word and returns what it was. */
  or(word: Word, value: number): number;
  /** Writes `replacement` if the word is `expected`; returns what it was. */
  compareExchange(word: Word, expected: number, replacement: number): number;
  /** The double at the (even) word. */
  loadDouble(word: Word): number;
  /** Writes the double at the (even) word. */
  storeDouble(word: Word, value: number): void;
  /** Adds to the double at the (even) word and returns the sum. */
  addDouble(word: Word, value: number): number;
}

const I32 = 0x7f;
const F64 = 0x7c;
const EMPTY_BLOCK = 0x40;
const I64 = 0x7e;

/** Pushes the byte address of local 0: `local.get 0; i32.const 2; i32.shl`. */
const ADDRESS = [0x20, 0, 0x41, 2, 0x74];
/** Pushes local n: `local.get n`. */
const local = (n: number) => [0x20, n];
/** An atomic instruction with its alignment (2 = 4 bytes, 3 = 8) and offset. */
const atomic = (opcode: number, align: number) => [0xfe, opcode, align, 0];

interface WasmFunction {
  name: keyof AtomicOperations;
  parameters: number[];
  results: number[];
  locals: number[];
  body: number[];
}

const FUNCTIONS: WasmFunction[] = [
  {
    name: "load",
    parameters: [I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...atomic(0x10, 2)],
  },
  {
    name: "store",
    parameters: [I32, I32],
    results: [],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x17, 2)],
  },
  {
    name: "exchange",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x41, 2)],
  },
  {
    name: "add",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x1e, 2)],
  },
  {
    name: "or",
    parameters: [I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...atomic(0x33, 2)],
  },
  {
    name: "compareExchange",
    parameters: [I32, I32, I32],
    results: [I32],
    locals: [],
    body: [...ADDRESS, ...local(1), ...local(2), ...atomic(0x48, 2)],
  },
  {
    name: "loadDouble",
    parameters: [I32],
    results: [F64],
    locals: [],
    // f64.reinterpret_i64
    body: [...ADDRESS, ...atomic(0x11, 3), 0xbf],
  },
  {
    name: "storeDouble",
    parameters: [I32, F64],
    results: [],
    locals: [],
    // i64.reinterpret_f64
    body: [...ADDRESS, ...local(1), 0xbd, ...atomic(0x18, 3)],
  },
  {
    name: "addDouble",
    parameters: [I32, F64],
    results: [F64],
    // 2: the value found, 3: the sum
    locals: [I64, F64],
    // deno-fmt-ignore
    body: [
      0x03, EMPTY_BLOCK,                            // loop
      ...ADDRESS, ...atomic(0x11, 3), 0x22, 2,      //   found = load
      0xbf, ...local(1), 0xa0, 0x21, 3,             //   sum = found + value
      ...ADDRESS, ...local(2), ...local(3), 0xbd, ...atomic(0x49, 3), // cmpxchg
      ...local(2), 0x52, 0x0d, 0,                   //   until it was found
      0x0b,                                         // end
      ...local(3),
    ],
  },
];

/** A section: id, size, content. Every size here is below 2^14. */
function section(id: number, content: number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function leb128(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...leb128(n >>> 7)];
}

function vector(items: number[][]): number[] {
  return [...leb128(items.length), ...items.flat()];
}

function ascii(text: string): number[] {
  return [text.length, ...Array.from(text, (c) => c.charCodeAt(0))];
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const types = FUNCTIONS.map((f) => [
    0x60,
    ...vector(f.parameters.map((p) => [p])),
    ...vector(f.results.map((r) => [r])),
  ]);
  // A shared memory of at most 65536 pages, whatever the real one has.
  const memory = [
    ...ascii("heap"),
    ...ascii("memory"),
    0x02,
    0x03,
    0x00,
    ...leb128(65536),
  ];
  const exports = FUNCTIONS.map((f, i) => [...ascii(f.name), 0x00, i]);
  const code = FUNCTIONS.map((f) => {
    const locals = vector(f.locals.map((type) => [1, type]));
    const body = [...locals, ...f.body, 0x0b];
    return [...leb128(body.length), ...body];
  });
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(FUNCTIONS.map((_, i) => [i]))),
    ...section(7, vector(exports)),
    ...section(10, vector(code)),
  ]);
}

/**
 * The operations on one shared memory.
 *
 * @param memory The memory.
 * @returns The operations.
 */
export function atomicOperations(
  memory: WebAssembly.Memory,
): AtomicOperations {
  const module = new WebAssembly.Module(moduleBytes());
  const instance = new WebAssembly.Instance(module, { heap: { memory } });
  return instance.exports as unknown as AtomicOperations;
}
