/** A program that must hold in every order of its steps. */
export interface Program {
  name: string;
  // deno-lint-ignore no-explicit-any
  setup: () => any;
  // deno-lint-ignore no-explicit-any
  threads: ((objects: any) => unknown)[];
  // deno-lint-ignore no-explicit-any
  check?: (objects: any) => unknown;
  /** All of its schedules with so many preemptions are tried. */
  preemptions: number;
}

/** Makes programs that begin with the same objects. */
export function programsFrom(setup: Program["setup"]) {
  return (
    name: string,
    preemptions: number,
    threads: Program["threads"],
    check?: Program["check"],
  ): Program => ({ name, setup, threads, check, preemptions });
}
