# Renders templates as Home Assistant does: a list of {"template", "vars"} on stdin, the list of results on stdout.
import json
import sys

from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment()
results = []
for job in json.load(sys.stdin):
    variables = dict(job["vars"])
    if "value" in variables:
        try:
            variables["value_json"] = json.loads(variables["value"])
        except (TypeError, ValueError):
            pass
    results.append(environment.from_string(job["template"]).render(variables).strip())
json.dump(results, sys.stdout)
