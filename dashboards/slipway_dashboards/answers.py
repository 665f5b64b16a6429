"""Every question that the five source systems' dashboards answered, and the panel that does now.

The table in ``docs/dashboards.md`` is written from this; a test holds each row to a panel that is
there. Questions are numbered as the source systems are: S1 language model service, S2 assistant,
S3 images, S4 questions and answers, S5 rollouts on Kubernetes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, who asked it, and the titles of the panels that answer it."""

    question: str
    asked_by: str
    board: str
    panels: tuple[str, ...]


ANSWERS: tuple[Answer, ...] = (
    Answer(
        "How many requests does the API get, with which status?",
        "S1 `http_requests_total`",
        "gateway",
        ("HTTP requests by status", "HTTP requests by route"),
    ),
    Answer(
        "How long does a request take (`processing_time_ms`)?",
        "S1, S2 LLM",
        "serving",
        ("Latency", "Mean latency"),
    ),
    Answer(
        "How many requests a second does each model get?", "S2 LLM", "serving", ("Request rate",)
    ),
    Answer(
        "How many tokens are used?",
        "S2 LLM",
        "serving",
        ("Tokens", "Tokens of the engine"),
    ),
    Answer("How busy are the GPUs that serve?", "S2 LLM", "serving", ("GPU use", "GPU memory")),
    Answer("What share of requests fails?", "S2 LLM", "serving", ("Error rate", "Outcomes")),
    Answer(
        "How soon does an answer begin, and how fast does it flow?",
        "S2 LLM (streaming)",
        "serving",
        ("Time to first token", "Time between tokens"),
    ),
    Answer(
        "Does the cache of frequent requests help?",
        "S1 roadmap, S4 cache",
        "serving",
        ("Answer cache hits", "Answer cache size"),
    ),
    Answer(
        "Do requests queue, and are any turned away?",
        "S3, S4 queue",
        "serving",
        ("Queue", "Refused for want of a place", "In flight"),
    ),
    Answer(
        "Are all replicas up?",
        "S4 replicas, S3 `check_services`",
        "serving",
        ("Replicas",),
    ),
    Answer(
        "Is every service up?",
        "S3 system status, `check_services`",
        "operator",
        ("Targets",),
    ),
    Answer(
        "How busy is the processor, how high is the load?", "S2 System", "system", ("CPU", "Load")
    ),
    Answer("How much memory is in use?", "S2 System", "system", ("Memory",)),
    Answer(
        "How full and how busy are the disks?",
        "S2 System",
        "system",
        ("Disk space", "Disk traffic", "Disk wait"),
    ),
    Answer("What goes over the network?", "S2 System", "system", ("Network",)),
    Answer(
        "How are the GPUs: use, memory, temperature, faults?",
        "S2 System, S4 GPU check",
        "system",
        (
            "GPU use",
            "GPU memory",
            "GPU temperature",
            "GPU power",
            "XID errors",
            "GPUs of the engines",
        ),
    ),
    Answer(
        "Is PostgreSQL up, and how is it?",
        "S1, S2, S4",
        "system",
        ("PostgreSQL is up", "Connections", "Transactions", "Size of the databases"),
    ),
    Answer(
        "Which collections are there, with how many points?",
        "S2 Qdrant",
        "vector_store",
        ("Collections", "Points by collection"),
    ),
    Answer(
        "How fast are vector queries, and how many fail?",
        "S2 Qdrant",
        "vector_store",
        ("Search latency", "Query rate", "Failed queries"),
    ),
    Answer(
        "What does Qdrant cost?",
        "S2 Qdrant",
        "vector_store",
        ("Qdrant's memory", "Qdrant's processor", "Space for vectors"),
    ),
    Answer(
        "Who uses how much?",
        "S2 business metrics",
        "gateway",
        ("Requests by tenant", "Tokens by tenant", "Use in the time shown"),
    ),
    Answer("Is anyone over a limit?", "S1 roadmap: rate limiting", "gateway", ("Limits reached",)),
    Answer(
        "Is every request logged?",
        "S1 `request_logs`",
        "gateway",
        ("Log lag", "Rows to ship", "Rows lost"),
    ),
    Answer(
        "How many questions and batches wait, how long, how do they end?",
        "S3 `batch_jobs_total`, S4 queue",
        "gateway",
        ("Jobs", "Age of the oldest job", "Runs", "Batches ended"),
    ),
    Answer(
        "How fast are images answered, and how many?",
        "S3 `inference_latency_seconds`, `inference_requests_total`",
        "vision",
        ("Inference latency", "Throughput", "Errors"),
    ),
    Answer("How well is each class told?", "S3", "vision", ("Accuracy by class",)),
    Answer("What is the validation F1?", "S3", "vision", ("Macro F1",)),
    Answer("How does the training loss fall?", "S3, S1", "vision", ("Training loss",)),
    Answer("How busy are the GPUs with images?", "S3", "vision", ("GPU use",)),
    Answer(
        "Does the training run learn, how fast, and until when?",
        "S1, S3 training",
        "training",
        ("Loss", "Validation metric", "Tokens a second", "Time left", "Progress"),
    ),
    Answer(
        "Is the new version better or worse than the one that serves?",
        "S5, S1 roadmap: A/B tests",
        "rollout",
        ("Verdicts", "Error rate", "Slow starts", "Evaluation against the baseline"),
    ),
    Answer(
        "Where does a rollout stand, and why does it not go on?",
        "S5",
        "rollout",
        ("Phase", "Weight", "Step", "Stalled", "Share of the longest time allowed"),
    ),
    Answer(
        "How did rollouts end?",
        "S5, S1 roadmap: model versioning",
        "operator",
        ("How rollouts ended", "Versions by phase"),
    ),
)
