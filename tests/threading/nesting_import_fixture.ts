/** Imported by a thread while the main thread is blocked. */
export const answer = 42;
