// Maps with a bar: items that are counted, blocking, and as they come.
import { ThreadPool } from "../../pool/mod.ts";
import { progressBar } from "../../process/mod.ts";
import { sendable } from "../../threading/mod.ts";

export const square = sendable(import.meta, (n: number) => n * n);

if (import.meta.main) {
  await using pool = new ThreadPool({ size: 1 });
  const onProgress = await progressBar("squares");
  const items = Array.from({ length: 30 }, (_, i) => i);
  await Array.fromAsync(pool.map(square, items, { chunk: 7, onProgress }));
  for (const _ of pool.mapSync(square, items, { chunk: 7, onProgress }));
  await Array.fromAsync(
    pool.map(square, items.values(), { chunk: 7, onProgress }),
  );
}
