/**
 * What a worker needs to be allowed to read.
 *
 * @module
 */

const WORKER_URL = new URL("./worker.ts", import.meta.url).href;
const granted = new Set<string>();

/**
 * Makes sure that a worker can load skein and a module: asked here, the answer
 * comes at the call that needs it, not from a worker that fails to boot.
 *
 * @param moduleUrl The module, if there is one.
 * @throws {Deno.errors.NotCapable} If it is not allowed.
 */
export function requirePermissions(moduleUrl: string | undefined): void {
  // What a compiled program carries needs no permission.
  if (Deno.build.standalone) return;
  requireRead(WORKER_URL);
  if (moduleUrl !== undefined) requireRead(moduleUrl);
}

function requireRead(url: string): void {
  if (granted.has(url)) return;
  const descriptor = descriptorOf(url);
  if (descriptor !== undefined) {
    let { state } = Deno.permissions.querySync(descriptor);
    if (state === "prompt") {
      ({ state } = Deno.permissions.requestSync(descriptor));
    }
    if (state !== "granted") throw notCapable(url, descriptor);
  }
  granted.add(url);
}

function descriptorOf(url: string): Deno.PermissionDescriptor | undefined {
  const { protocol, host } = new URL(url);
  if (protocol === "file:") return { name: "read", path: new URL(url) };
  if (protocol === "http:" || protocol === "https:") {
    return { name: "import", host } as Deno.PermissionDescriptor;
  }
  return undefined;
}

function notCapable(
  url: string,
  { name }: Deno.PermissionDescriptor,
): Deno.errors.NotCapable {
  return new Deno.errors.NotCapable(
    `Cannot start a thread: its worker imports ${url}, run again with the --allow-${name} flag`,
  );
}
