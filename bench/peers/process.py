"""The rows of the process suite in Python.

Run: python3 -I process.py ROW; prints {"name", "ns"}.
"""

import json
import subprocess
import sys
from time import perf_counter_ns

LINES = 20_000
LINE = b"a line that goes there and back\n"
RUNS = 200


def true():
    start = perf_counter_ns()
    for _ in range(RUNS):
        subprocess.run(["/bin/true"], capture_output=True)
    return (perf_counter_ns() - start) / RUNS


def shell_true():
    start = perf_counter_ns()
    for _ in range(RUNS):
        subprocess.run("true", shell=True, capture_output=True)
    return (perf_counter_ns() - start) / RUNS


def popen2():
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        start = perf_counter_ns()
        for _ in range(LINES):
            child.stdin.write(LINE)
            child.stdin.flush()
            assert child.stdout.readline() == LINE
        took = perf_counter_ns() - start
        child.stdin.close()
    return took / LINES


def readable():
    start = perf_counter_ns()
    size = 0
    with subprocess.Popen(
        ["head", "-c", "1000000000", "/dev/zero"],
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as child:
        while chunk := child.stdout.read(65536):
            size += len(chunk)
    assert size == 1_000_000_000
    return perf_counter_ns() - start


def both():
    data = bytes(64_000_000)
    start = perf_counter_ns()
    subprocess.run(["cat"], input=data, capture_output=True)
    return perf_counter_ns() - start


ROWS = {
    "readable": readable,
    "bytes": both,
    "true": true,
    "$ true": shell_true,
    "popen2 blocking": popen2,
}

if __name__ == "__main__":
    row = sys.argv[1] if len(sys.argv) > 1 else ""
    if row not in ROWS:
        sys.exit(f"Cannot measure the row: it is unknown, received {row!r}")
    print(json.dumps({"name": row, "ns": ROWS[row]()}))
