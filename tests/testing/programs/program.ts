/** A program that must hold in every order of its steps. */
export interface Program {
  name: string;
  // deno-lint-ignore no-explicit-any
  setup: () => any;
  // deno-lint-ignore no-explicit-any
  threads: ((objects: any) => unknown)[];
  // deno-lint-ignore no-explicit-any
  check?: (objects: any) => unknown;
  /** Preemptions, 2 by default. */
  preemptions?: number;
}
