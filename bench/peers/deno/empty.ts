// The empty program: what of a whole program is Deno's own.
export {};
