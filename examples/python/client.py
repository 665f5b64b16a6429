"""A client of Slipway with the standard library only.

python client.py "What is a kludge?"
"""

import json
import os
import sys
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("SLIPWAY_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("SLIPWAY_API_KEY", "")


def post(path, body, **headers):
    """The open response; the caller reads it."""
    headers = {"content-type": "application/json", **headers}
    if KEY:
        headers["authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=120)


def forward(text, **options):
    """The default Model continues ``text``; options: max_new_tokens, temperature, top_p."""
    with post("/forward", {"text": text, **options}) as response:
        return json.load(response)["generated_text"]


def forward_batch(texts, **options):
    """The same for several texts, in their order."""
    with post("/forward_batch", {"texts": texts, **options}) as response:
        return json.load(response)["generated_texts"]


def chat(model, messages, conversation, **options):
    """Yield the answer piece by piece; return (request id, version that answered).

    One conversation id is answered by one version for as long as its share only grows.
    """
    body = {"model": model, "messages": messages, "stream": True, **options}
    with post("/v1/chat/completions", body, **{"x-conversation-id": conversation}) as response:
        for line in response:
            data = line.removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or data == b"[DONE]":
                continue
            for choice in json.loads(data)["choices"]:
                yield choice["delta"].get("content") or ""
        return response.headers["x-request-id"], response.headers["x-slipway-version"]


def thumbs_down(request_id):
    """Say that an answer was bad; it counts in a rollout."""
    post("/v1/feedback", {"request_id": request_id, "thumbs_down": True}).close()


def main(text):
    with urllib.request.urlopen(URL + "/metadata", timeout=10) as response:
        model = json.load(response)["model_name"]
    print("forward:      ", forward(text, max_new_tokens=24))
    print("forward_batch:", forward_batch([text, "A hacker is"], max_new_tokens=12))
    pieces = chat(model, [{"role": "user", "content": text}], uuid.uuid4().hex, max_tokens=24)
    print("chat:          ", end="")
    while True:
        try:
            print(next(pieces), end="", flush=True)
        except StopIteration as end:
            request_id, version = end.value
            break
    print(f"\n               ({model} {version}, request {request_id})")


if __name__ == "__main__":
    try:
        main(" ".join(sys.argv[1:]) or "What is a kludge?")
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode()}")
