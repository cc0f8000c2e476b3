"""The rows of the threading suite in Python.

Run: python3 -I threading.py ROW; prints {"name", "ns"}. Without -I this file
would be found in place of the standard module that it imports.
"""

import json
import os
import sys
from threading import Condition, Event, Lock, Semaphore, Thread
from time import perf_counter_ns

INCREMENTS = 200_000
TRIPS = 4000
WARM_TRIPS = 400


def lock_pair():
    lock = Lock()
    n = 1_000_000
    start = perf_counter_ns()
    for _ in range(n):
        lock.acquire()
        lock.release()
    return (perf_counter_ns() - start) / n


def lock_with():
    lock = Lock()
    n = 1_000_000
    start = perf_counter_ns()
    for _ in range(n):
        with lock:
            pass
    return (perf_counter_ns() - start) / n


def increment():
    lock = Lock()
    counter = 0
    arrived = [Event(), Event()]
    took = [0, 0]

    def worker(me):
        nonlocal counter
        arrived[me].set()
        arrived[1 - me].wait()
        start = perf_counter_ns()
        for _ in range(INCREMENTS):
            lock.acquire()
            counter += 1
            lock.release()
        took[me] = perf_counter_ns() - start

    both(worker)
    assert counter == 2 * INCREMENTS, "lost increments"
    return max(took) / (2 * INCREMENTS)


def start_join():
    n = 1000
    start = 0
    for i in range(-n // 10, n):
        if i == 0:
            start = perf_counter_ns()
        thread = Thread(target=nothing)
        thread.start()
        thread.join()
    return (perf_counter_ns() - start) / n


def condition():
    turn = 0
    cond = Condition(Lock())

    def hand_over(me):
        nonlocal turn
        with cond:
            while turn != me:
                cond.wait()
            turn = 1 - me
            cond.notify()

    return round_trip(hand_over)


def event():
    events = [Event(), Event()]
    events[0].set()

    def hand_over(me):
        events[me].wait()
        events[me].clear()
        events[1 - me].set()

    return round_trip(hand_over)


def semaphore():
    semaphores = [Semaphore(1), Semaphore(0)]

    def hand_over(me):
        semaphores[me].acquire()
        semaphores[1 - me].release()

    return round_trip(hand_over)


def map_get():
    lock, table, keys = a_table()
    n = 500_000
    start = perf_counter_ns()
    for i in range(n):
        with lock:
            table[keys[i & 63]]
    return (perf_counter_ns() - start) / n


def map_set():
    lock, table, keys = a_table()
    n = 500_000
    start = perf_counter_ns()
    for i in range(n):
        with lock:
            table[keys[i & 63]] = i
    return (perf_counter_ns() - start) / n


def a_table():
    keys = [f"key{i}" for i in range(64)]
    return Lock(), {key: i for i, key in enumerate(keys)}, keys


def nothing():
    pass


def both(worker):
    # Where the scheduler puts two threads changes what they cost each other
    # several times over, from run to run; so each gets a core of its own.
    def pinned(me):
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {me})
        worker(me)

    threads = [Thread(target=pinned, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def round_trip(hand_over):
    took = 0

    def player(me):
        nonlocal took
        start = 0
        for i in range(-WARM_TRIPS, TRIPS):
            if i == 0:
                start = perf_counter_ns()
            hand_over(me)
        if me == 0:
            took = perf_counter_ns() - start

    both(player)
    return took / TRIPS


ROWS = {
    "lock-pair": lock_pair,
    "lock-with": lock_with,
    "increment": increment,
    "start-join": start_join,
    "condition": condition,
    "event": event,
    "semaphore": semaphore,
    "map-get": map_get,
    "map-set": map_set,
}

if __name__ == "__main__":
    row = sys.argv[1] if len(sys.argv) > 1 else ""
    if row not in ROWS:
        sys.exit(f"Cannot measure the row: it is unknown, received {row!r}")
    print(json.dumps({"name": row, "ns": ROWS[row]()}))
