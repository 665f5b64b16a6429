"""Stands in for ``slipway_training``: says what a run says, in a few seconds, and learns nothing.

Knows only the files of ``slipway_contracts.run``.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

STEPS = 4


def said(**more: object) -> str:
    return json.dumps({"at": time.time(), "maxSteps": STEPS} | more) + "\n"


def trained(spec: dict, work: Path) -> dict:
    with (work / "progress.jsonl").open("a") as progress:
        progress.write(said(event="start"))
        for step in range(1, STEPS + 1):
            loss = 5.0 / step
            speed = {"loss": loss, "tokensPerSecond": 100.0, "etaSeconds": float(STEPS - step)}
            progress.write(said(step=step, **speed))
            progress.write(said(event="evaluation", step=step, evalLoss=loss, **speed))
            progress.write(said(event="checkpoint", step=step, evalLoss=loss, **speed))
            progress.flush()
            time.sleep(1.2)
        progress.write(said(event="end", step=STEPS))
    digest = "sha256:" + hashlib.sha256(spec["version"].encode()).hexdigest()
    artifact = {"uri": f"file://{spec['artifactDir']}", "digest": digest}
    return {"artifact": artifact, "metrics": {"loss": 1.25}}


def evaluated(spec: dict) -> dict:
    figures = {"loss": {"value": 1.25, "samples": 64}}
    baseline = spec.get("baseline")
    suites = [
        {
            "suite": suite["name"],
            "kind": suite["kind"],
            "candidate": figures,
            "baseline": figures if baseline else {},
        }
        for suite in spec["suites"]
    ]
    report = {"version": spec["candidate"]["version"], "suites": suites}
    return {"report": report | ({"baseline": baseline["version"]} if baseline else {})}


def main(arguments: list[str]) -> None:
    told = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    work = Path(told["--work"])
    spec = json.loads(Path(told["--spec"]).read_text())
    result = evaluated(spec) if spec["verb"] == "evaluate" else trained(spec, work)
    temporary = work / "result.tmp"
    temporary.write_text(json.dumps(result))
    temporary.replace(work / "result.json")


if __name__ == "__main__":
    main(sys.argv[1:])
