"""Runs in the sandbox of 'kimi eval': judges one program that a model wrote, and answers in one line of JSON.

The program runs in a child with limits of its own; this process waits, watches and reports. What stands in the other files
of this folder is put behind this one, and main() is called at the end.
"""
import ast
import copy
import decimal
import io
import json
import math
import os
import re
import resource
import select
import signal
import sys
import time

READY = "ready"
FILE_BYTES = 64 << 20
MOST_PROCESSES = 64
SECONDS_BETWEEN_LOOKS = 0.02
# Limits of time are of the processor, so that a machine that is busy with the model itself fails no program. A program that
# only waits is ended by the clock, which gets so many times as much.
CLOCK_FACTOR = 3


class TimeUp(BaseException):
    """The time of one test is over. No Exception, so that programs rarely catch it."""


def time_up(signum, frame):
    raise TimeUp()


def timed(seconds, function, *arguments):
    """Calls a function that may take so much of the processor's time."""
    signal.signal(signal.SIGPROF, time_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def plain(text):
    """Text that every reader of JSON takes: no halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def verdict(outcome, detail=None):
    return {"outcome": outcome, "detail": None if detail is None else plain(str(detail)[:500])}


def describe(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def outcome_of(body):
    """What a check says, or what its program raised."""
    try:
        return body()
    except MemoryError:
        return verdict("memory")
    except TimeUp:
        return verdict("timeout")
    except BaseException as error:
        return verdict("fail", describe(error))


def limited(body, seconds, memory, is_alone):
    """Runs a check in a child with limits and returns its verdict."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        cpu = math.ceil(seconds) + 1
        for limit, soft, hard in (
            (resource.RLIMIT_AS, memory, memory),
            (resource.RLIMIT_CPU, cpu, cpu + 1),
            (resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES),
            (resource.RLIMIT_CORE, 0, 0),
        ):
            resource.setrlimit(limit, (soft, hard))
        answer = outcome_of(body)
        os.write(write_end, json.dumps(answer).encode())
        os._exit(0)
    os.close(write_end)
    answer = wait_for(read_end, time.monotonic() + CLOCK_FACTOR * seconds, memory, is_alone)
    for end in (os.killpg, os.kill):
        try:
            end(child, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It has not come as far as to lead a group, or has ended.
    _, status = os.waitpid(child, 0)
    os.close(read_end)
    if answer is None:
        is_over_time = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        answer = verdict("timeout") if is_over_time else verdict("fail", "the program ended the process")
    return answer


def wait_for(read_end, deadline, memory, is_alone):
    """The child's verdict, or why it must end; None when it ended without one."""
    while True:
        ready, _, _ = select.select([read_end], [], [], SECONDS_BETWEEN_LOOKS)
        if ready:
            data = os.read(read_end, 1 << 16)
            return json.loads(data) if data else None
        if time.monotonic() > deadline:
            return verdict("timeout")
        if is_alone and is_too_much(memory):
            return verdict("memory")


def is_too_much(memory):
    """Whether all processes of the sandbox together hold too much; limits of the system are for each of them alone."""
    total, count, page = 0, 0, resource.getpagesize()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/statm") as file:
                    total += int(file.read().split()[1]) * page
                count += 1
            except (OSError, IndexError):
                pass  # It has just ended.
    return total > memory or count > MOST_PROCESSES


def main():
    out = os.dup(1)
    os.write(out, (READY + "\n").encode())
    job = json.load(io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8"))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    checks = {"evalplus": check_evalplus, "script": check_script, "livecodebench": check_livecodebench}
    answer = checks[job["kind"]](job)
    os.write(out, (json.dumps(answer) + "\n").encode())
    os._exit(0)
