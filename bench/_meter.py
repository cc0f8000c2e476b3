"""Runs a program from its start to its end and measures all of it.

Run: python3 -I _meter.py time|cpu|memory COMMAND...; prints {"ns"} or
{"bytes"}: the time that passed, what all its threads computed (user and
system), or the most memory that it had at once.
"""

import json
import os
import signal
import sys
import time

UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def measure(what, command):
    start = time.perf_counter_ns()
    # What the program prints is not the result; its errors are for the reader.
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
    _, status, used = os.wait4(pid, 0)
    took = time.perf_counter_ns() - start
    if status != 0:
        code = os.waitstatus_to_exitcode(status)
        sys.exit(f"error: {command[0]} ended with {code}" if code < 0 else code)
    if what == "time":
        return {"ns": took}
    if what == "cpu":
        return {"ns": (used.ru_utime + used.ru_stime) * 1e9}
    return {"bytes": used.ru_maxrss * UNIT}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2:])))
