/** Gives a test a folder of its own, which goes with all that is in it. */
export async function temporary(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
