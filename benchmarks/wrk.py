"""wrk as the client of whole answers: it costs so little that the gateway is what is busy.

A client in Python shares its core with engine and database and leaves the gateway waiting, so that
each request is a wake-up of its own; a gateway is judged by what a request costs when there are
many. wrk is Debian's package of that name; without it the burst of ``benchmarks.load`` is sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

WRK = shutil.which("wrk")
_SCRIPT = """
local asked = {}
for body in io.lines("%(bodies)s") do asked[#asked + 1] = body end
local headers = {["content-type"] = "application/json", ["authorization"] = "Bearer %(secret)s"}
local number = 0
request = function()
  number = number + 1
  return wrk.format("POST", "/v1/chat/completions", headers, asked[number %% #asked + 1])
end
done = function(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  print(string.format('{"answered": %%d, "failed": %%d}', summary.requests, failed))
end
"""


async def saturate(
    port: int, bodies: list[bytes], secret: str, *, seconds: int, connections: int, folder: Path
) -> int:
    """Ask without a pause; how many whole answers came. Raises RuntimeError when one was none."""
    lines = folder / "bodies"
    lines.write_bytes(b"\n".join(bodies) + b"\n")
    script = folder / "ask.lua"
    script.write_text(_SCRIPT % {"bodies": lines, "secret": secret})
    argv = ["-t1", f"-c{connections}", f"-d{seconds}", f"-s{script}", f"http://127.0.0.1:{port}"]
    client = await asyncio.create_subprocess_exec(
        WRK or "wrk", *argv, stdout=asyncio.subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
    )
    out, _ = await client.communicate()
    found = json.loads(out.splitlines()[-1])
    if found["failed"] or client.returncode:
        raise RuntimeError(f"{found['failed']} of {found['answered']} answers were wrong")
    return int(found["answered"])
