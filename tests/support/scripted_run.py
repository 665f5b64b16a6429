"""A run that behaves as told by ``script.json`` in the home: the fake of slipway_training.

Keys: ``exit`` (code), ``result`` (body of result.json), ``wait_for`` (a file that must appear
first; the script is read again then), ``checkpoint_on_term`` (exit 75 on SIGTERM). Appends its pid
to ``starts``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

work = Path(sys.argv[1])
path = work.parent.parent.parent / "script.json"
script = json.loads(path.read_text())
if script.get("checkpoint_on_term"):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(75))
(work / "progress.jsonl").write_text(
    json.dumps({"at": time.time(), "step": 3, "maxSteps": 9}) + "\n"
)
with (work / "starts").open("a") as starts:
    starts.write(f"{os.getpid()}\n")
deadline = time.monotonic() + 120
while script.get("wait_for") and not Path(script["wait_for"]).exists():
    if time.monotonic() > deadline:
        sys.exit("nobody told this run to go on")
    time.sleep(0.02)
script = json.loads(path.read_text())
if "result" in script:
    (work / "result.json").write_text(json.dumps(script["result"]))
print("done", flush=True)
sys.exit(script.get("exit", 0))
