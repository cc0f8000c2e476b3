/**
 * The modules that workers run, and workers that run none.
 *
 * The main program must import such a module, too: a worker that downloads it
 * waits for the main thread, which may be blocked.
 *
 * @module
 */

import { builtIn, deno } from "./built_in.ts";

/** The modules of this package that workers run. */
const own = new Set<string>();
/** Those that workers can import, as far as can be known. */
const checked = new Set<string>();

let lifeLock: string | undefined;

/** Tells which web lock this thread holds until its end. */
export function setLifeLock(name: string): void {
  lifeLock = name;
}

/**
 * The web lock that this thread holds until its end, if it is a `Thread`. A
 * worker that it starts for itself must end when it gets this lock: Deno does
 * not end the workers of a worker that is terminated.
 */
export function lifeLockName(): string | undefined {
  return lifeLock;
}

/**
 * The URL of a module of this package.
 *
 * @param path Where it lies, without its ending: `pool/mod`.
 */
export function moduleUrl(path: string): URL {
  // A package for Node has `.js`. The build sets where the package begins.
  const [ending] = /\.\w+$/.exec(new URL(import.meta.url).pathname)!;
  const url = new URL(`../${path}${ending}`, import.meta.url);
  own.add(url.href);
  return url;
}

/**
 * The URL to start a worker of `node:worker_threads` from, which takes no
 * https: URLs.
 *
 * @param module The module that the worker runs.
 */
export function workerUrl(module: URL): URL {
  if (module.protocol === "file:") return module;
  return new URL(dataUrl(`import ${JSON.stringify(module.href)};`));
}

/** Taken at once: no code of the user may run where a helper is started. */
const { Worker } = globalThis;

/**
 * Starts a worker without modules, which may be done also while the calling
 * thread is about to block for long. It does not hold the process open, and no
 * permission is needed.
 *
 * @param name What debuggers show.
 * @param source The text of functions and constants, one of them `main`, which
 * is called with the data. It imports nothing.
 * @param data What `main` is called with.
 */
export function startHelper(name: string, source: string, data: unknown): void {
  // Deno's own way of letting a global Worker live without holding the process
  // open: a method under a symbol without a name. There is no public one.
  const unref = Worker &&
    Object.getOwnPropertySymbols(Worker.prototype).find((symbol) =>
      symbol.description === undefined &&
      typeof Reflect.get(Worker.prototype, symbol) === "function"
    );
  if (unref === undefined) return startNodeHelper(source, data);
  // A third of what a Worker of `node:worker_threads` costs.
  const url = dataUrl(
    `${BUNDLERS} ${source} onmessage = ({ data }) => main(data);`,
  );
  const worker = new Worker(url, { type: "module", name });
  // What it was to notice is noticed later; the program goes on.
  worker.onerror = (event) => event.preventDefault();
  worker.postMessage(data);
  Reflect.get(worker, unref).call(worker, false);
}

/** Bundlers that keep the names of functions wrap them in calls of this. */
const BUNDLERS = "const __name = (value) => value;";

function startNodeHelper(source: string, data: unknown): void {
  const node = builtIn("node:worker_threads");
  const url = dataUrl(`
    import { workerData } from "node:worker_threads";
    ${BUNDLERS} ${source}
    // What it waits for does not hold its event loop open.
    const hold = setInterval(() => {}, 2 ** 30);
    globalThis.close ??= () => clearInterval(hold);
    main(workerData);
  `);
  // The default environment, a copy, would ask for every variable.
  new node.Worker(new URL(url), { workerData: data, env: node.SHARE_ENV })
    .unref();
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/**
 * Makes sure that a worker can import a module: asked here, the answer comes at
 * the call that needs it, not from a worker that fails to boot.
 *
 * @param module The module.
 * @param what What is being done, for messages: `start a thread`.
 * @throws {Deno.errors.NotCapable} If it is not allowed.
 * @throws {Deno.errors.NotFound} If it is one of this package and is not there.
 */
export function requireImport(module: string, what: string): void {
  // What a compiled program carries needs no permission, and is there.
  if (deno?.build.standalone || checked.has(module)) return;
  if (deno !== undefined) requirePermission(module, what);
  if (own.has(module) && isMissing(module)) {
    throw new (deno?.errors.NotFound ?? Error)(
      `Cannot ${what}: its worker imports ${module}, which is not there; a bundler must leave @skein/std out of the bundle`,
    );
  }
  checked.add(module);
}

function requirePermission(module: string, what: string): void {
  const descriptor = descriptorOf(module);
  if (descriptor === undefined) return;
  let { state } = Deno.permissions.querySync(descriptor);
  if (state === "prompt") {
    ({ state } = Deno.permissions.requestSync(descriptor));
  }
  if (state === "granted") return;
  throw new Deno.errors.NotCapable(
    `Cannot ${what}: its worker imports ${module}, run again with the --allow-${descriptor.name} flag`,
  );
}

/** Whether there is no such file. Others a server may have. */
function isMissing(module: string): boolean {
  const url = new URL(module);
  if (url.protocol !== "file:") return false;
  if (deno === undefined) return !builtIn("node:fs").existsSync(url);
  try {
    deno.statSync(url);
    return false;
  } catch (error) {
    return error instanceof deno.errors.NotFound;
  }
}

/** Set in the workers of threads; elsewhere nothing needs to be told apart. */
let markAsOwn = <T extends object>(make: () => T): T => make();

/** Sets how {@linkcode asOwn} tells apart what is made. */
export function setAsOwn(mark: <T extends object>(make: () => T) => T): void {
  markAsOwn = mark;
}

/**
 * Makes a port, a channel or a worker that is to outlive the thread that needs
 * it first. Anything else that a thread leaves open ends its worker.
 *
 * @param make Makes it.
 * @returns What that returns.
 */
export function asOwn<T extends object>(make: () => T): T {
  return markAsOwn(make);
}

function descriptorOf(url: string): Deno.PermissionDescriptor | undefined {
  const { protocol, host } = new URL(url);
  if (protocol === "file:") return { name: "read", path: new URL(url) };
  if (protocol === "http:" || protocol === "https:") {
    return { name: "import", host } as Deno.PermissionDescriptor;
  }
  return undefined;
}
