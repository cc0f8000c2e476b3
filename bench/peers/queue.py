# The rows of the queue suite with Python.
# Run: python3 -I queue.py ROW; prints {"name", "ns"}.
import json
import multiprocessing
import queue
import sys
import threading
from time import perf_counter_ns

MAXSIZE = 1024
OBJECT = {"id": 7, "name": "spam", "priority": 3, "tags": ["a", "b"]}


def produce(q, item, count):
    for _ in range(count):
        q.put(item)


def one_to_one(q, item, count, start=threading.Thread):
    warm = count // 10
    producer = start(target=produce, args=(q, item, warm + count))
    producer.start()
    for _ in range(warm):
        q.get()
    begin = perf_counter_ns()
    for _ in range(count):
        q.get()
    took = perf_counter_ns() - begin
    producer.join()
    return took / count


def four():
    q = queue.Queue(MAXSIZE)
    count = 20_000
    threads = [
        threading.Thread(target=produce, args=(q, 7, count)) for _ in range(4)
    ] + [
        threading.Thread(target=lambda: [q.get() for _ in range(count)])
        for _ in range(4)
    ]
    begin = perf_counter_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (perf_counter_ns() - begin) / (4 * count)


def priority():
    count = 100_000
    items = [(i * 7919 % 1009, f"item {i}") for i in range(count)]
    q = queue.PriorityQueue()
    begin = perf_counter_ns()
    for item in items:
        q.put(item)
    for _ in range(count):
        q.get()
    return (perf_counter_ns() - begin) / count


def hand_over():
    there, back = queue.Queue(), queue.Queue()
    trips = 5000

    def echo():
        for _ in range(trips):
            back.put(there.get())

    thread = threading.Thread(target=echo)
    thread.start()
    begin = perf_counter_ns()
    for i in range(trips):
        there.put(i)
        back.get()
    took = perf_counter_ns() - begin
    thread.join()
    return took / trips


def processes(item, count):
    q = multiprocessing.Queue(MAXSIZE)
    return one_to_one(q, item, count, multiprocessing.Process)


ROWS = {
    "numbers": lambda: one_to_one(queue.Queue(MAXSIZE), 7, 100_000),
    "numbers-simple": lambda: one_to_one(queue.SimpleQueue(), 7, 300_000),
    "numbers-process": lambda: processes(7, 50_000),
    "objects": lambda: one_to_one(queue.Queue(MAXSIZE), OBJECT, 100_000),
    "objects-process": lambda: processes(OBJECT, 50_000),
    "bytes-process": lambda: processes(bytes(65_536), 3000),
    "four": four,
    "priority": priority,
    "hand-over": hand_over,
}

if __name__ == "__main__":
    row = sys.argv[1] if len(sys.argv) > 1 else ""
    if row not in ROWS:
        sys.exit(f"Cannot measure the row: it is unknown, received {row!r}")
    print(json.dumps({"name": row, "ns": ROWS[row]()}))
