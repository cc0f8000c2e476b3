"""Whole programs in Python. Run: python3 -I whole.py ROW; for items prints
{"name", "ns"}, what each of them took after the first.
"""

import json
import queue
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter_ns


def item_of(kind, i):
    if kind == "numbers":
        return i
    return {"id": i, "name": "spam", "priority": 3, "tags": ["a", "b"]}


def thread(_):
    only = threading.Thread(target=lambda: None)
    only.start()
    only.join()


def lock(count):
    turns = threading.Condition()
    turn = 0

    def play(me):
        nonlocal turn
        for _ in range(count // 2):
            with turns:
                while turn != me:
                    turns.wait()
                turn = 1 - me
                turns.notify()

    other = threading.Thread(target=play, args=(1,))
    other.start()
    play(0)
    other.join()


def items(kind, count):
    q = queue.Queue()

    def produce():
        for i in range(count):
            q.put(item_of(kind, i))

    producer = threading.Thread(target=produce)
    producer.start()
    begin = 0
    for i in range(count):
        item = q.get()
        assert (item if kind == "numbers" else item["id"]) == i, "items are missing"
        if i == 0:
            begin = perf_counter_ns()
    ns = (perf_counter_ns() - begin) / (count - 1)
    print(json.dumps({"name": kind, "ns": ns}))
    producer.join()


def compute(ms):
    end = perf_counter_ns() + ms * 1_000_000
    while perf_counter_ns() < end:
        pass


def tasks(count):
    # Not threads: only one of them computes at a time.
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(compute, [1] * count):
            pass


ROWS = {
    "tasks": tasks,
    "thread": thread,
    "lock": lock,
    "numbers": lambda count: items("numbers", count),
    "objects": lambda count: items("objects", count),
}

if __name__ == "__main__":
    row, _, count = sys.argv[1].partition(" ")
    if row not in ROWS:
        sys.exit(f"Cannot run the row: it is unknown, received {row!r}")
    ROWS[row](int(count or 0))
