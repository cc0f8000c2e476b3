/** The trivial task: gives back what it was given. */
export default function task(n) {
  return n;
}
