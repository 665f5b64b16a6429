"""Alerts on how fast an error budget burns: several windows and rates, as in Google's SRE workbook.

A long window says that it matters, a short one that it still goes on. The factors are for a month's
budget: 14.4 spends 2 % of it in an hour, 6 spends 5 % in six hours (these wake somebody); 3 spends
10 % in a day, 1 spends 10 % in three days (tickets). Few requests never fire: one failure among
three is no incident.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_rules.kinds import Alert, Group, Severity
from slipway_rules.slos import AVAILABILITY, BUDGET, SLO, TTFT

# Events that a window must hold before it is believed.
LEAST = {"5m": 10, "30m": 30, "1h": 100, "2h": 100, "6h": 200}
SECONDS = {"5m": 300, "30m": 1800, "1h": 3600, "2h": 7200, "6h": 21600}
# A target below 93 % could not burn 14.4 times its budget: nearly everything bad always counts.
MOST = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """One pair of windows."""

    long: str
    short: str
    factor: float


PAGES = (Burn(long="1h", short="5m", factor=14.4), Burn(long="6h", short="30m", factor=6))
TICKETS = (Burn(long="1d", short="2h", factor=3), Burn(long="3d", short="6h", factor=1))


def alerts() -> Group:
    """Both promises, both severities."""
    return Group(
        name="slipway-slo-burn",
        rules=(
            _alert(AVAILABILITY, "ModelAvailabilityBurnsFast", PAGES),
            _alert(AVAILABILITY, "ModelAvailabilityBurnsSlowly", TICKETS),
            _alert(TTFT, "ModelFirstTokenBurnsFast", PAGES),
            _alert(TTFT, "ModelFirstTokenBurnsSlowly", TICKETS),
        ),
    )


def _alert(slo: SLO, name: str, burns: tuple[Burn, ...]) -> Alert:
    fast = burns is PAGES
    share = "{{ $value | humanizePercentage }}"
    pace = "hours" if fast else "days"
    return Alert(
        name=name,
        expr="\nor\n".join(f"(\n{_burning(slo, burn)}\n)" for burn in burns),
        hold="30s" if fast else "5m",
        severity=Severity.PAGE if fast else Severity.TICKET,
        summary=f"{{{{ $labels.model }}}} breaks its promise of {slo.title}",
        description=(
            f"{share} of what {{{{ $labels.model }}}} was asked was bad; the month's error budget "
            f"lasts only {pace} at this pace. See which version it is (dashboard Serving); if it "
            "is a candidate, `slipway abort VERSION`; if it came with the latest promotion, "
            "`slipway undo MODEL`."
        ),
        meaning=f"A Model's error budget for {slo.title} would be spent within {pace}.",
        labels=(("slo", slo.name),),
    )


def _burning(slo: SLO, burn: Burn) -> str:
    return "\nand\n".join(
        part for window in (burn.long, burn.short) for part in _over(slo, window, burn.factor)
    )


def _over(slo: SLO, window: str, factor: float) -> tuple[str, ...]:
    chosen = f'{{slo="{slo.name}"}}'
    over = (
        f"slipway:slo_errors:ratio_rate{window}{chosen}\n"
        f"  > on (slo, model) group_left () clamp_max({factor} * {BUDGET}{chosen}, {MOST})"
    )
    if window not in LEAST:
        return (over,)
    least = LEAST[window]
    enough = f"slipway:slo_events:rate{window}{chosen} * {SECONDS[window]} >= {least}"
    return over, enough
