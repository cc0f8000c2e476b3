// Loaded before a program, makes skein's main thread take this platform for macOS.
Object.defineProperty(Deno, "build", {
  value: { ...Deno.build, os: "darwin" },
});
