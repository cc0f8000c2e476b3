import {
  CommandError,
  Empty,
  Full,
  NotSendableError,
  ShutDown,
  ThreadingError,
} from "../../../mod.ts";

/** The classes of errors that bad input may give. */
export const ERRORS = {
  CommandError,
  Empty,
  Full,
  NotFound: Deno.errors.NotFound,
  NotSendableError,
  RangeError,
  ShutDown,
  ThreadingError,
  TypeError,
};

/** Calls that must fail, by the class of their error. */
export type Row = Partial<
  Record<keyof typeof ERRORS, readonly (() => unknown)[]>
>;

/** Rows by what is called: `alarm`, `Lock.acquire`, `new Lock`. */
export type Table = Record<string, Row>;

/** What is nothing of what any function here takes, with any type. */
export const bad = {
  number: 5 as never,
  text: "1" as never,
  object: {} as never,
  null: null as never,
  none: undefined as never,
  symbol: Symbol("bad") as never,
  fn: (() => {}) as never,
};

/** The options that no wait takes. */
export function badWait(
  wait: (options: never) => unknown,
  more: Row = {},
): Row {
  const given = (options: unknown) => () => wait(options as never);
  return join({
    TypeError: [
      ...["1", null, true, 1n, {}].map((timeout) => given({ timeout })),
      given(5),
      given("1"),
      given(() => {}),
      given({ timout: 1 }),
    ],
    RangeError: [-1, NaN, -Infinity, 2 ** 31].map((timeout) =>
      given({ timeout })
    ),
  }, more);
}

/** What no wait takes that has a promise form. */
export function badAsyncWait(
  wait: (options: never) => unknown,
  more: Row = {},
): Row {
  return badWait(
    wait,
    join(
      {
        TypeError: [
          () => wait({ signal: "SIGTERM" } as never),
          () => wait({ signal: null } as never),
        ],
      },
      more,
    ),
  );
}

/** What is in one row or the other. */
export function join(one: Row, other: Row): Row {
  const row: Row = { ...one };
  for (const [name, calls] of Object.entries(other)) {
    const error = name as keyof Row;
    row[error] = [...row[error] ?? [], ...calls];
  }
  return row;
}
