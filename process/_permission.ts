// What is granted, without asking the user.

/** Whether it is granted. */
export function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Whether a program may be run. */
export function mayRun(command: string): boolean {
  return granted({ name: "run", command });
}
