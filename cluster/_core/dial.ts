/**
 * Making a connection to the servers, and why one cannot be made.
 *
 * @module
 */

import {
  errors,
  type NatsConnection,
  NatsConnectionImpl,
  setTransportFactory,
} from "@nats-io/transport-node";
import {
  nodeResolveHost,
  NodeTransport,
} from "@nats-io/transport-node/lib/node_transport.js";
import { deadline } from "@std/async/deadline";
import type { Patience } from "./patience.ts";

/** The oldest server that keeps what this module promises. */
const OLDEST = [2, 12, 0];

/** What is known about the servers. */
export interface Settings {
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly tls?: boolean | {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
  readonly replicas: number;
  readonly storage: "file" | "memory";
}

/** The part of a socket of node:net that matters here. */
interface Socket {
  on(event: "error", listener: () => void): void;
  removeAllListeners(...events: string[]): unknown;
}

/**
 * The transport of the package, but its sockets always listen to errors. It
 * removes its own listener when it has done with a socket; an error that comes
 * afterwards would end the program.
 */
class Transport extends NodeTransport {
  constructor() {
    super();
    let socket: Socket | undefined;
    Object.defineProperty(this, "socket", {
      get: () => socket,
      set(next: Socket | undefined) {
        socket = next;
        if (next !== undefined) keepListening(next);
      },
    });
  }
}

function keepListening(socket: Socket): void {
  if (Object.hasOwn(socket, "removeAllListeners")) return;
  const { removeAllListeners } = socket;
  socket.removeAllListeners = (...events) => {
    removeAllListeners.apply(socket, events);
    socket.on("error", () => {});
    return socket;
  };
  socket.on("error", () => {});
}

export async function dial(
  settings: Settings,
  patience: Patience,
  last: unknown,
): Promise<NatsConnection> {
  const { servers, user, password, token, tls } = settings;
  setTransportFactory({
    factory: () => new Transport(),
    dnsResolveFn: nodeResolveHost,
  });
  const dialling = NatsConnectionImpl.connect({
    name: "skein",
    servers: [...servers],
    ...user !== undefined && { user, pass: password },
    ...token !== undefined && { token },
    // `{}` demands TLS; without it the servers decide.
    ...tls !== undefined && tls !== false && {
      tls: tls === true ? {} : { ...tls },
    },
    timeout: 5000,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    reconnectJitterTLS: 250,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    pingInterval: 5000,
    maxPingOut: 2,
    // A stack for each request would cost more than the request.
    noAsyncTraces: true,
  });
  let settled = false;
  try {
    const connection = await patience.until<NatsConnection | Error>(
      (settle) => {
        dialling.then(settle, settle);
        return onAlert(settle);
      },
    );
    if (connection === undefined) throw patience.timeoutError(last);
    settled = true;
    if (connection instanceof Error) throw connection;
    return connection;
  } finally {
    // One that comes too late is closed.
    if (!settled) dialling.then((late) => late.close(), () => {});
  }
}

/**
 * Refuses a connection without a certificate where the servers demand one: they
 * close it without a word.
 */
export async function checkDemand(
  { servers, tls }: Settings,
  what: string,
): Promise<void> {
  if (typeof tls === "object" && tls.cert !== undefined) return;
  for (const server of servers) {
    const info = await greeting(server);
    if (info === undefined) continue;
    if (info.tls_verify !== true) return;
    throw new Deno.errors.InvalidData(
      `Cannot ${what}: the server demands a TLS certificate of this program, received none`,
    );
  }
}

/** What a server says at first, unless it cannot be reached. */
async function greeting(
  server: string,
): Promise<{ tls_verify?: boolean } | undefined> {
  try {
    const { hostname, port } = new URL(
      server.includes("://") ? server : `nats://${server}`,
    );
    using connection = await Deno.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 4222),
      signal: AbortSignal.timeout(2000),
    });
    const bytes = new Uint8Array(1 << 16);
    for (let length = 0;;) {
      const free = bytes.subarray(length);
      const read = await deadline(connection.read(free), 2000);
      if (!read) return undefined;
      length += read;
      const text = new TextDecoder().decode(bytes.subarray(0, length));
      const info = /^INFO (\{.*\})\s*\r\n/.exec(text);
      if (info !== null) return JSON.parse(info[1]);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // Connecting tells why, if it cannot be done.
  }
  return undefined;
}

/**
 * An alert of the server can arrive while the transport has no listener on its
 * socket; it would end the program.
 *
 * @returns What ends the listening.
 */
function onAlert(settle: (error: Error) => void): () => void {
  const listener = (event: ErrorEvent) => {
    const { error } = event;
    if (!(error instanceof Error) || !/fatal alert/.test(error.message)) return;
    event.preventDefault();
    settle(error);
  };
  addEventListener("error", listener);
  return () => removeEventListener("error", listener);
}

/** Whether connecting may succeed when it is tried again. */
export function isPassing(error: unknown): boolean {
  const text = describe(error);
  if (error instanceof errors.AuthorizationError) return false;
  if (/authorization|authentication/i.test(text)) return false;
  if (isTls(text)) return false;
  return error instanceof errors.ConnectionError ||
    error instanceof errors.TimeoutError ||
    /refused|reset|timeout|timed out|closed|unreachable|EPIPE|EPERM|ECONN|EHOST/i
      .test(text);
}

function isTls(text: string): boolean {
  return /certificate|unknown ?issuer|self.signed|\bTLS\b|\bSSL\b|fatal alert/i
    .test(
      text,
    );
}

export function describe(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) {
    parts.push(`${at.name}: ${at.message}`);
  }
  return parts.join("; ");
}

/** The error of a connection that no further try would bring about. */
export function refusal(
  error: unknown,
  settings: Settings,
  what: string,
): unknown {
  const text = describe(error);
  if (/authorization|authentication/i.test(text)) {
    const { user, token } = settings;
    const given = user !== undefined
      ? `the user ${user}`
      : token !== undefined
      ? "a token"
      : "neither user nor token";
    return new Deno.errors.PermissionDenied(
      `Cannot ${what}: the server refuses the user, the password or the token, received ${given}`,
      { cause: error },
    );
  }
  return isTls(text) ? tlsError(error, what) : error;
}

function tlsError(error: unknown, what: string): Error {
  return new Deno.errors.InvalidData(
    `Cannot ${what}: the TLS of the server and of this program do not fit, received "${
      (error as Error).message
    }"`,
    { cause: error },
  );
}

/** Refuses a server that ignores silently what this module asks it for. */
export function checkServer({ info }: NatsConnection, what: string): void {
  const version = info?.version ?? "unknown";
  const parts = version.split(/[.-]/).map(Number);
  const different = OLDEST.findIndex((part, i) => parts[i] !== part);
  if (different >= 0 && !(parts[different] > OLDEST[different])) {
    throw new Deno.errors.NotSupported(
      `Cannot ${what}: it takes nats-server ${
        OLDEST.join(".")
      } or later, received ${version}`,
    );
  }
  if (info?.jetstream !== true && info?.cluster === undefined) {
    throw new Deno.errors.NotSupported(
      `Cannot ${what}: JetStream is not enabled on the server, received ${info?.server_name}`,
    );
  }
}
