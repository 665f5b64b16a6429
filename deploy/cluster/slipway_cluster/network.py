"""The node's own bridge and kernel settings, and the removal of every trace of a cluster's network.

Rules are recognised by what made them: kube-proxy and the kubelet prefix their chains with KUBE-,
the CNI bridge plugin writes the network's name into a comment.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from . import commands, layout

CNI_RESULTS = Path("/var/lib/cni/results")
NAMESPACES = Path("/var/run/netns")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
TABLES = ("filter", "nat", "mangle")
CHAIN = re.compile(r"^:((?:KUBE|CNI)-\S+) ")
JUMP = re.compile(rf'^-A (\S+) .*-j (?:KUBE-|CNI-)|^-A (\S+) .*name: \\?"{layout.POD_NETWORK}\\?"')


def create() -> None:
    """The bridge that holds the node's address; forwarding between pods and the machine."""
    commands.tried("modprobe", "br_netfilter")
    if not Path(f"/sys/class/net/{layout.NODE_BRIDGE}").exists():
        commands.run("ip", "link", "add", layout.NODE_BRIDGE, "type", "bridge")
        commands.run("ip", "addr", "add", f"{layout.NODE_ADDRESS}/32", "dev", layout.NODE_BRIDGE)
    commands.run("ip", "link", "set", layout.NODE_BRIDGE, "up")
    FORWARD.write_text("1", "utf-8")
    if BRIDGE_CALLS.exists():
        # Else a pod that calls its own Service gets answers from an address it did not call.
        BRIDGE_CALLS.write_text("1", "utf-8")


def remove() -> None:
    """Namespaces, leases, rules and bridges."""
    for namespace in namespaces():
        commands.tried("ip", "netns", "delete", namespace)
    for path in _results():
        path.unlink(missing_ok=True)
    for program in ("iptables", "ip6tables"):
        for table in TABLES:
            script = clearing(table, commands.tried(f"{program}-save", "-t", table))
            if script:
                commands.run(f"{program}-restore", "--noflush", text=script)
    for bridge in (layout.POD_BRIDGE, layout.NODE_BRIDGE):
        commands.tried("ip", "link", "delete", bridge)


def namespaces() -> list[str]:
    """Names of the network namespaces that our pods were given and that still exist."""
    known = {name for path in _results() for name in sandboxes(path.read_text("utf-8"))}
    return sorted(name for name in known if (NAMESPACES / name).exists())


def sandboxes(result: str) -> set[str]:
    """Names of network namespaces in a result that CNI keeps of every attachment."""
    interfaces = json.loads(result).get("result", {}).get("interfaces", [])
    paths = {interface.get("sandbox", "") for interface in interfaces}
    return {Path(path).name for path in paths if path}


def remains() -> list[str]:
    """What of a cluster's network is still there."""
    bridges = [
        f"bridge {name}"
        for name in (layout.POD_BRIDGE, layout.NODE_BRIDGE)
        if Path(f"/sys/class/net/{name}").exists()
    ]
    rules = [
        f"iptables rules in {table}"
        for table in TABLES
        if clearing(table, commands.tried("iptables-save", "-t", table))
    ]
    return [*bridges, *rules, *(f"network namespace {name}" for name in namespaces())]


def clearing(table: str, saved: str) -> str:
    """An iptables-restore script that removes a cluster's rules and chains; empty where none."""
    lines = saved.splitlines()
    chains = [match[1] for line in lines if (match := CHAIN.match(line))]
    jumps = [
        line
        for line in lines
        if (match := JUMP.match(line)) and (match[1] or match[2]) not in chains
    ]
    if not chains and not jumps:
        return ""
    steps = [
        *(f"-F {chain}" for chain in chains),
        *(line.replace("-A ", "-D ", 1) for line in jumps),
        *(f"-X {chain}" for chain in chains),
    ]
    return "\n".join([f"*{table}", *steps, "COMMIT", ""])


def _results() -> list[Path]:
    ours = sorted(CNI_RESULTS.glob(f"{layout.POD_NETWORK}-*")) if CNI_RESULTS.exists() else []
    ids = [path.name.removeprefix(f"{layout.POD_NETWORK}-").split("-")[0] for path in ours]
    loopbacks = [CNI_RESULTS / f"cni-loopback-{container}-lo" for container in ids]
    return [*ours, *(path for path in loopbacks if path.exists())]
