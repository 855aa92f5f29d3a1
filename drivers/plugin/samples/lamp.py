#!/usr/bin/env python3
"""A Hearth driver: one dimmable lamp that exists only in this program."""
import json
import sys


def say(**message):
    print(json.dumps(message), flush=True)


def report(values):
    say(report=[{"device": "lamp", "property": p, "value": v} for p, v in values.items()])


lamp = {"on": False, "brightness": 100}
for line in sys.stdin:
    message = json.loads(line)
    if "hello" in message:
        lamp.update(message["hello"]["config"].get("start", {}))
        say(announce={"id": "lamp", "name": "Sample lamp", "type": "light", "model": "Python", "properties": [
            {"name": "on", "writable": True},
            {"name": "brightness", "writable": True, "min": 1, "max": 100}]})
        report(lamp)
    elif "do" in message:
        do = message["do"]
        if do["device"] != "lamp":
            say(done={"n": do["n"], "error": {"code": "no_device", "message": "there is only one lamp"}})
            continue
        lamp.update(do["set"])  # a real driver would speak with its device here
        say(done={"n": do["n"]})
        report(do["set"])
    elif "stop" in message:
        break
