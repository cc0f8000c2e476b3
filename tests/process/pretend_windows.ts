// Loaded before a program, makes skein's main thread take this platform for Windows.
Object.defineProperty(Deno, "build", {
  value: { ...Deno.build, os: "windows" },
});
