"""The rows of the signal suite in Python.

Run: python3 -I signal.py ROW; prints {"name", "ns"}. Without -I this file
would be found in place of the standard module that it imports.
"""

import json
import signal
import sys
from time import perf_counter_ns


def raise_():
    arrived = 0

    def handler(signum, frame):
        nonlocal arrived
        arrived += 1

    signal.signal(signal.SIGUSR2, handler)
    n = 100_000
    start = perf_counter_ns()
    for _ in range(n):
        signal.raise_signal(signal.SIGUSR2)
    took = perf_counter_ns() - start
    assert arrived == n, "lost signals"
    return took / n


def alarm():
    end = 0

    def handler(signum, frame):
        nonlocal end
        end = perf_counter_ns()

    signal.signal(signal.SIGALRM, handler)
    start = perf_counter_ns()
    signal.alarm(1)
    while end == 0:
        signal.pause()
    return abs(end - start - 1_000_000_000)


ROWS = {"raise": raise_, "alarm": alarm}

if __name__ == "__main__":
    row = sys.argv[1] if len(sys.argv) > 1 else ""
    if row not in ROWS:
        sys.exit(f"Cannot measure the row: it is unknown, received {row!r}")
    print(json.dumps({"name": row, "ns": ROWS[row]()}))
