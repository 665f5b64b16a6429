"""The one table of pinned tools: module, package, version, and what its module must replace.

Kubernetes' commands share one module, so that its 31 staging modules are pinned once. To move a
version, change it here: binaries are cached by version, so the next ``tools`` builds the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KUBERNETES = "v1.34.10"
STAGING = "v0.34.10"
PROMETHEUS_OPERATOR = "v0.85.0"
# As a Go module; 2.53.3 for everybody else.
PROMETHEUS = "v0.53.3"
PROMETHEUS_REPLACES = {
    "k8s.io/klog": "github.com/simonpasquier/klog-gokit@v0.3.0",
    "k8s.io/klog/v2": "github.com/simonpasquier/klog-gokit/v3@v3.3.0",
}
# Not every patch release of every staging module is served by the module proxy.
STAGING_EXCEPTIONS = {"sample-apiserver": "v0.34.11"}
# fmt: off
STAGING_MODULES = (
    "api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go",
    "cloud-provider", "cluster-bootstrap", "code-generator", "component-base",
    "component-helpers", "controller-manager", "cri-api", "cri-client", "csi-translation-lib",
    "dynamic-resource-allocation", "endpointslice", "externaljwt", "kms", "kube-aggregator",
    "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet", "metrics",
    "mount-utils", "pod-security-admission", "sample-apiserver", "sample-cli-plugin",
    "sample-controller",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A Debian package and where in it the program lies."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One binary: a package at a version, built in the throw-away Go module ``group``.

    ``debian``: what to take instead where apt answers; any release of it does.
    """

    name: str
    package: str
    version: str
    group: str
    replaces: Mapping[str, str] = field(default_factory=dict)  # module[@version] → module@version
    variables: Mapping[str, str] = field(default_factory=dict)  # linker variable → value
    debian: Package | None = None

    @property
    def key(self) -> str:
        """The file name in the cache."""
        return f"{self.name}-{'any' if self.debian else self.version}"

    @property
    def linker_flags(self) -> str:
        return " ".join(
            ["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables.items())]
        )


def _staging() -> dict[str, str]:
    return {
        f"k8s.io/{name}": f"k8s.io/{name}@{STAGING_EXCEPTIONS.get(name, STAGING)}"
        for name in STAGING_MODULES
    }


def _kubernetes(name: str) -> Tool:
    stamp = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    return Tool(
        name=name,
        package=f"k8s.io/kubernetes/cmd/{name}",
        version=KUBERNETES,
        group=f"kubernetes-{KUBERNETES}",
        replaces=_staging(),
        variables={
            f"{stamp}.gitVersion": KUBERNETES,
            f"{stamp}.gitMajor": major,
            f"{stamp}.gitMinor": minor,
            f"{stamp}.gitTreeState": "clean",
        },
    )


def _module(
    name: str, package: str, version: str, replaces: Mapping[str, str] | None = None
) -> Tool:
    return Tool(
        name=name,
        package=package,
        version=version,
        group=f"{name}-{version}",
        replaces=replaces or {},
    )


def _observability(name: str, package: str, version: str, debian: Package) -> Tool:
    group = f"{package.split('/')[2]}-{version}"
    replaces = PROMETHEUS_REPLACES if "/prometheus/cmd/" in package else {}
    return Tool(
        name=name, package=package, version=version, group=group, replaces=replaces, debian=debian
    )


def _prometheus_operator(name: str, command: str) -> Tool:
    return Tool(
        name=name,
        package=f"github.com/prometheus-operator/prometheus-operator/cmd/{command}",
        version=PROMETHEUS_OPERATOR,
        group=f"prometheus-operator-{PROMETHEUS_OPERATOR}",
    )


_TABLE = (
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    _kubernetes("kubectl"),
    _module("etcd", "go.etcd.io/etcd/server/v3", "v3.6.10"),
    _module("coredns", "github.com/coredns/coredns", "v1.12.4"),
    _module("helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    _module(
        "helm-unittest",
        "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
        "v1.1.2",
        {
            "github.com/vmware-labs/yaml-jsonpath@v0.3.2": (
                "github.com/helm-unittest/yaml-jsonpath@v0.4.0"
            )
        },
    ),
    _module("helm-docs", "github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2"),
    _module("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0"),
    _module("kuberay-operator", "github.com/ray-project/kuberay/ray-operator", "v1.6.0"),
    _prometheus_operator("prometheus-operator", "operator"),
    _prometheus_operator("prometheus-config-reloader", "prometheus-config-reloader"),
    _module("kwok", "sigs.k8s.io/kwok/cmd/kwok", "v0.8.0"),
    # Its releases are no semantic versions, so the module proxy names a commit.
    _module("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"),
    *(
        _observability(
            name,
            f"github.com/prometheus/prometheus/cmd/{name}",
            PROMETHEUS,
            Package(name="prometheus", path=f"usr/bin/{name}"),
        )
        for name in ("prometheus", "promtool")
    ),
    # Debian's has no service discovery for Kubernetes.
    Tool(
        name="prometheus-server",
        package="github.com/prometheus/prometheus/cmd/prometheus",
        version=PROMETHEUS,
        group=f"prometheus-{PROMETHEUS}",
        replaces=PROMETHEUS_REPLACES,
        variables={
            "github.com/prometheus/common/version.Version": PROMETHEUS.replace("v0.", "2.", 1)
        },
    ),
    *(
        _observability(
            name,
            f"github.com/prometheus/alertmanager/cmd/{name}",
            "v0.27.0",
            Package(name="prometheus-alertmanager", path=f"usr/bin/{path}"),
        )
        for name, path in (("alertmanager", "prometheus-alertmanager"), ("amtool", "amtool"))
    ),
)
TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _TABLE}

# What each purpose needs, so that nobody builds a kubelet to render a chart.
SETS: Mapping[str, tuple[str, ...]] = {
    "apiserver": ("etcd", "kube-apiserver", "kube-controller-manager"),
    "charts": ("helm", "helm-unittest", "helm-docs", "kubeconform"),
    "cluster": (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "coredns",
        "helm",
        "kuberay-operator",
    ),
    # What rules, alerts and dashboards are tested with.
    "observability": ("prometheus", "promtool", "amtool"),
    "monitoring": ("prometheus-operator", "prometheus-config-reloader", "prometheus-server"),
    "all": tuple(TOOLS),
}


def chosen(names: Iterable[str]) -> tuple[Tool, ...]:
    """Tools for names of tools and sets, each once; KeyError names an unknown one."""
    expanded = dict.fromkeys(tool for name in names for tool in SETS.get(name, (name,)))
    return tuple(TOOLS[name] for name in expanded)
