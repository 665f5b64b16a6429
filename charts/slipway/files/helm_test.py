"""What `helm test` runs in the gateway's image: real requests with the first key.

Waits until the gateway answers, then until every Model of the chart's values gives a completion.
Standard library only. Exits 0, or 1 with a line that says what did not answer.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

URL, KEY = os.environ["URL"], os.environ.get("KEY", "")
MODELS = [name for name in os.environ["MODELS"].split(",") if name]
END = time.monotonic() + float(os.environ["TIMEOUT_SECONDS"])


def ask(path: str, body: dict | None = None) -> tuple[int, bytes]:
    """Status and body; a status of 0 where nobody answered."""
    headers = {"content-type": "application/json"}
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(URL + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()


def until(wanted: int, path: str, body: dict | None = None) -> bytes:
    """The answer once its status is ``wanted``; ends the process when that comes too late."""
    while True:
        status, answer = ask(path, body)
        if status == wanted:
            print(path, status, answer[:400].decode("utf-8", "replace"), flush=True)
            return answer
        if time.monotonic() > END:
            sys.exit(f"{path}: {status} instead of {wanted}: {answer[:400]!r}")
        time.sleep(1)


until(200, "/ready")
# Without a key there is nothing to see, and a call must be refused.
until(200 if KEY else 401, "/v1/models")
for model in MODELS if KEY else []:
    question = [{"role": "user", "content": "Hello"}]
    body = {"model": model, "messages": question, "max_tokens": 8}
    answer = json.loads(until(200, "/v1/chat/completions", body))
    if not answer["choices"]:
        sys.exit(f"{model}: an answer without choices: {answer}")
