"""The rows of the pool suite in Python. Run: python3 -I pool.py "KIND ROW", where
KIND is thread or process; prints {"name", "ns"}.
"""

import hashlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from time import perf_counter_ns

KINDS = {"thread": ThreadPoolExecutor, "process": ProcessPoolExecutor}
SIZE = 2


def same(n):
    return n


def digest(n):
    return hashlib.sha256(bytes([n % 256]) * 65_536).hexdigest()


def is_prime(n):
    if n % 2 == 0:
        return n == 2
    i = 3
    while i * i <= n:
        if n % i == 0:
            return False
        i += 2
    return n > 1


# So many nanoseconds each program warms up, in at least one round.
WARM_UP = 1_000_000_000


def rounds(count, once):
    """The median time of several rounds, after a warm-up."""
    until = perf_counter_ns() + WARM_UP
    once()
    while perf_counter_ns() < until:
        once()
    took = []
    for _ in range(count):
        begin = perf_counter_ns()
        once()
        took.append(perf_counter_ns() - begin)
    return sorted(took)[len(took) // 2]


def one(kind):
    with kind(1) as pool:
        def once():
            for i in range(500):
                pool.submit(same, i).result()

        return rounds(5, once) / 500


def many(kind):
    with kind(SIZE) as pool:
        def once():
            futures = [pool.submit(same, i) for i in range(10_000)]
            for future in futures:
                future.result()

        return rounds(5, once) / 10_000


def mapped(kind, function, items, chunksize, times):
    with kind(SIZE) as pool:
        def once():
            for _ in pool.map(function, items, chunksize=chunksize):
                pass

        return rounds(times, once) / len(items)


def map_all(kind):
    # Threads take no chunks, and as long for each of fewer numbers.
    count = 1_000_000 if kind is ProcessPoolExecutor else 50_000
    return mapped(kind, same, range(count), 10_000, 3)


ROWS = {
    "one": one,
    "many": many,
    "map": map_all,
    "hash": lambda kind: mapped(kind, digest, range(400), 10, 5),
    "primes": lambda kind: mapped(
        kind, is_prime, range(2_140_000_001, 2_140_004_001, 2), 20, 3
    ),
}

if __name__ == "__main__":
    kind, _, row = (sys.argv[1] if len(sys.argv) > 1 else "").partition(" ")
    if row not in ROWS or kind not in KINDS:
        sys.exit(f"Cannot measure the row: it is unknown, received {kind} {row}")
    print(json.dumps({"name": row, "ns": ROWS[row](KINDS[kind])}))
