"""Manifests as people get them wrong, with what the refusal must name: the field, and the fix.

``WRONG`` is refused before the operator sees it, by kubectl's strict validation or at admission.
``SECOND`` is a change of something that stands. What needs the operator is in
``misfit_manifests``.
"""

from __future__ import annotations

from wrong_manifest import GOOD, SUITE, Wrong, model, source, training, version, whole

LEGAL = ("[a-z0-9]([-a-z0-9]*[a-z0-9])?",)

WRONG = (
    # what it is
    Wrong(id="no-api-version", text="kind: Model\nmetadata: { name: a }\n", says=("apiVersion",)),
    Wrong(
        id="no-such-kind",
        text=GOOD.replace("ModelVersion", "ModleVersion"),
        says=('"ModleVersion"', 'version "slipway.dev/v1alpha1"'),
    ),
    Wrong(
        id="no-such-version",
        text=GOOD.replace("v1alpha1", "v1"),
        says=('version "slipway.dev/v1"',),
    ),
    Wrong(id="not-yaml", text=GOOD + "  model: x\n - y\n", says=("yaml",)),
    Wrong(
        id="no-spec",
        text="apiVersion: slipway.dev/v1alpha1\nkind: ModelVersion\nmetadata: { name: a }\n",
        says=("spec: Required value",),
    ),
    model("name-in-capitals", "{}", "metadata.name", "Chat", *LEGAL, name="Chat"),
    model("name-with-dots", "{}", "metadata.name", *LEGAL, name="chat.v2"),
    model("name-too-long", "{}", "metadata.name", "may not be more than 63", name="a" * 64),
    # typos
    version("unknown-field", "modle: chat", 'unknown field "spec.modle"'),
    model(
        "unknown-nested-field",
        "{ serving: { replicaz: { min: 2 } } }",
        'unknown field "spec.serving.replicaz"',
    ),
    model("snake-case", "{ system_prompt: hi }", 'unknown field "spec.system_prompt"'),
    model(
        "a-secret-in-the-open",
        "{ notifications: { webhookUrl: 'https://x.example/T0K3N' } }",
        'unknown field "spec.notifications.webhookUrl"',
    ),
    version(
        "vllm-flag",
        "serving: { engine: { trust_remote_code: true } }",
        'unknown field "spec.serving.engine.trust_remote_code"',
    ),
    # source
    whole("no-model", "{ source: { random: {} } }", "spec.model: Required value"),
    whole("no-source", "{ model: chat }", "spec.source: Required value"),
    whole(
        "model-not-a-name", "{ model: 'My Model', source: { random: {} } }", "spec.model", *LEGAL
    ),
    source(
        "empty-source", "{}", "spec.source", "exactly one of training, artifact, adapter, random"
    ),
    source(
        "two-sources",
        "{ random: {}, artifact: { uri: 'hf://a/b' } }",
        "spec.source",
        "exactly one of training",
    ),
    source(
        "training-without-data", "{ training: {} }", "spec.source.training.data: Required value"
    ),
    source(
        "no-texts",
        "{ training: { data: { sources: [] } } }",
        "training.data.sources",
        "at least 1 items",
    ),
    source(
        "sources-is-text",
        "{ training: { data: { sources: a.txt } } }",
        "training.data.sources",
        "must be of type array",
    ),
    training(
        "base-from-scratch",
        "base: { version: v0 }",
        "spec.source.training.base",
        "base is for method full or lora",
    ),
    training(
        "lora-without-base",
        "method: lora",
        "spec.source.training.base",
        "method full or lora, and those need it",
    ),
    training(
        "two-bases",
        "method: full, base: { version: v0, uri: 'hf://a/b' }",
        "training.base",
        "exactly one of version and uri",
    ),
    training(
        "no-such-method",
        "method: qlora",
        "spec.source.training.method",
        '"scratch", "full", "lora"',
    ),
    training(
        "learning-rate-0",
        "learningRate: 0",
        "spec.source.training.learningRate",
        "should be greater than 0",
    ),
    training(
        "steps-in-words",
        "maxSteps: many",
        "spec.source.training.maxSteps",
        "must be of type integer",
    ),
    training(
        "limit-in-minutes",
        "wallClockLimit: 5 minutes",
        "training.wallClockLimit",
        "should match",
        "m)?",
    ),
    source(
        "artifact-without-address", "{ artifact: {} }", "spec.source.artifact.uri: Required value"
    ),
    source(
        "short-digest",
        "{ artifact: { uri: 'hf://a/b', digest: 'sha256:12' } }",
        "spec.source.artifact.digest",
        "[0-9a-f]{64}",
    ),
    source(
        "adapter-without-base",
        "{ adapter: { uri: 'hf://a/b' } }",
        "spec.source.adapter.base: Required value",
    ),
    # serving
    model(
        "fewer-than-min",
        "{ serving: { replicas: { min: 3, max: 2 } } }",
        "spec.serving.replicas.max",
        "raise max or lower min",
    ),
    model(
        "min-above-default-max",
        "{ serving: { replicas: { min: 3 } } }",
        "spec.serving.replicas.max",
        "raise max or lower min",
    ),
    model(
        "memory-in-gb",
        "{ serving: { resources: { memory: 8GB } } }",
        "spec.serving.resources.memory",
        "(Mi|Gi)",
    ),
    model(
        "gpu-below-0",
        "{ serving: { resources: { gpu: -1 } } }",
        "spec.serving.resources.gpu",
        "greater than or equal to 0",
    ),
    model(
        "no-such-dtype",
        "{ serving: { engine: { dtype: int3 } } }",
        "spec.serving.engine.dtype",
        '"bfloat16"',
    ),
    model(
        "utilisation-in-per-cent",
        "{ serving: { engine: { gpuMemoryUtilization: 95 } } }",
        "gpuMemoryUtilization",
        "less than or equal to 1",
    ),
    model(
        "no-such-mode",
        "{ serving: { mode: RollingUpdate } }",
        "spec.serving.mode",
        '"BlueGreen", "Recreate"',
    ),
    model(
        "drain-for-ever",
        "{ serving: { drainSeconds: 86400 } }",
        "spec.serving.drainSeconds",
        "less than or equal to 3600",
    ),
    model(
        "timeout-of-a-millennium",
        "{ serving: { capacityTimeout: 9999999999h } }",
        "spec.serving.capacityTimeout",
        "{1,6}h",
    ),
    model(
        "no-such-effect",
        "{ serving: { tolerations: [{ key: gpu, effect: Never }] } }",
        "spec.serving.tolerations[0].effect",
        '"NoSchedule"',
    ),
    # model
    model("no-such-task", "{ task: chat }", "spec.task", '"text-generation", "embedding"'),
    model(
        "too-hot",
        "{ generationDefaults: { temperature: 3 } }",
        "spec.generationDefaults.temperature",
        "less than or equal to 2",
    ),
    model(
        "prompt-too-long",
        "{ systemPrompt: " + "a" * 8193 + " }",
        "spec.systemPrompt",
        "may not be more than 8192",
    ),
    model(
        "split-of-90",
        "{ traffic: [{ version: a, weight: 40 }, { version: b, weight: 50 }] }",
        "spec.traffic",
        "must sum to 100",
    ),
    model(
        "split-names-one-twice",
        "{ traffic: [{ version: a, weight: 40 }, { version: a, weight: 60 }] }",
        "spec.traffic[1]",
        "Duplicate value",
    ),
    model("pinned-by-a-sentence", "{ pinnedVersion: the last one }", "spec.pinnedVersion", *LEGAL),
    model(
        "secret-by-address",
        "{ notifications: { webhookSecret: 'https://x.example' } }",
        "spec.notifications.webhookSecret",
        *LEGAL,
    ),
    model(
        "keep-none",
        "{ retention: { versions: 0 } }",
        "spec.retention.versions",
        "greater than or equal to 1",
    ),
    # evaluation
    model(
        "gate-without-suites",
        "{ evaluation: { gates: [{ metric: heldout.loss, max: 1 }] } }",
        "spec.evaluation.gates",
        "a gate names no suite; its metric is SUITE.METRIC",
    ),
    model(
        "gate-names-another-suite",
        "{ evaluation: { suites: [" + SUITE + "], gates: [{ metric: answers.success, min: 1 }] } }",
        "spec.evaluation.gates",
        "a gate names no suite",
    ),
    version(
        "gate-without-bound",
        "evaluation: { gates: [{ metric: heldout.loss }] }",
        "spec.evaluation.gates[0]",
        "set max, min or a relative bound",
    ),
    version(
        "gate-without-suite-name",
        "evaluation: { gates: [{ metric: loss, max: 1 }] }",
        "spec.evaluation.gates[0].metric",
        "should match",
    ),
    version(
        "two-suites-of-one-name",
        f"evaluation: {{ suites: [{SUITE}, {SUITE}] }}",
        "spec.evaluation.suites[1]",
        "Duplicate value",
    ),
    version(
        "no-such-suite-kind",
        "evaluation: { suites: [{ name: a, kind: vibes }] }",
        "spec.evaluation.suites[0].kind",
        '"heldout", "endpoint"',
    ),
    # rollout
    version(
        "steps-fall",
        "rollout: { steps: [{ weight: 50 }, { weight: 10 }] }",
        "spec.rollout.steps",
        "weights must rise strictly, e.g. 10, 25, 50",
    ),
    version(
        "step-twice",
        "rollout: { steps: [{ weight: 10 }, { weight: 10 }] }",
        "spec.rollout.steps",
        "weights must rise strictly",
    ),
    version(
        "first-step-0",
        "rollout: { steps: [{ weight: 0 }] }",
        "spec.rollout.steps[0].weight",
        "greater than or equal to 1",
    ),
    version(
        "last-step-100",
        "rollout: { steps: [{ weight: 100 }] }",
        "spec.rollout.steps[0].weight",
        "less than or equal to 99",
    ),
    version(
        "weight-in-words",
        "rollout: { steps: [{ weight: ten }] }",
        "spec.rollout.steps[0].weight",
        "must be of type integer",
    ),
    version(
        "step-without-unit",
        "rollout: { steps: [{ weight: 10, minDuration: '60' }] }",
        "spec.rollout.steps[0].minDuration",
        "should match",
    ),
    version(
        "alpha-above-a-half",
        "rollout: { analysis: { alpha: 0.7 } }",
        "spec.rollout.analysis.alpha",
        "less than 0.5",
    ),
    version(
        "ratio-below-1",
        "rollout: { analysis: { ratio: 0.9 } }",
        "spec.rollout.analysis.ratio",
        "greater than or equal to 1",
    ),
    version(
        "no-such-metric",
        "rollout: { analysis: { metrics: [{ metric: latency }] } }",
        "analysis.metrics[0].metric",
        '"slow_start"',
    ),
    version(
        "metric-twice",
        "rollout: { analysis: { metrics: [{ metric: error }, { metric: error }] } }",
        "spec.rollout.analysis.metrics[1]",
        "Duplicate value",
    ),
    version(
        "undecided-rollback",
        "rollout: { analysis: { onUndecided: Rollback } }",
        "spec.rollout.analysis.onUndecided",
        '"Abort", "Promote", "Hold"',
    ),
    version(
        "no-such-strategy",
        "rollout: { strategy: BlueGreen }",
        "spec.rollout.strategy",
        '"Canary", "Direct"',
    ),
    version(
        "shadow-in-per-cent",
        "rollout: { shadow: { sample: 10 } }",
        "spec.rollout.shadow.sample",
        "less than or equal to 1",
    ),
    # wishes
    version(
        "no-such-wish",
        "desiredState: Deleted",
        "spec.desiredState",
        '"Active", "Paused", "Aborted", "Retired"',
    ),
    version(
        "yes-in-words",
        "approval: { granted: 'yes' }",
        "spec.approval.granted",
        "must be of type boolean",
    ),
    version("retry-is-a-number", "retry: { id: 2 }", "spec.retry.id", "must be of type string"),
    version(
        "retry-too-long",
        "retry: { id: " + "a" * 65 + " }",
        "spec.retry.id",
        "may not be more than 64",
    ),
)

# kubectl itself drops the first of two equal keys; ``slipway apply`` does not.
KEY_TWICE = model(
    "key-twice", "{ task: embedding, task: embedding }", "task is given twice; keep one"
)

# ``GOOD`` stands; then this is applied.
SECOND = (
    whole(
        "another-model",
        "{ model: other, source: { random: {} } }",
        "spec.model",
        "is immutable; make a ModelVersion with another name",
    ),
    source(
        "another-source",
        "{ artifact: { uri: 'hf://a/b' }, random: null }",
        "spec.source",
        "is immutable",
        "another name",
    ),
    source(
        "another-seed", "{ random: { seed: 7 } }", "spec.source", "is immutable", "another name"
    ),
)
