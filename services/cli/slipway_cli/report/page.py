"""The page: head, style and sections in one file that needs nothing else.

Its content security policy forbids every load and every script, so that a hostile name or message
could do nothing even if an escape were missed.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

from slipway_cli.report.material import Material
from slipway_cli.report.sections import sections

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
# Or a browser asks its server for one, and says so when there is none.
_ICON = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"


def page(material: Material) -> str:
    """HTML, complete."""
    version, status = material.version, material.version.status
    name, model = version.metadata.name, version.spec.model
    title = f"{name} of {model}: {status.phase}"
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    made = f"{material.situation.now:%Y-%m-%d %H:%M:%S} UTC"
    body = "".join(sections(material))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        f'<link rel="icon" href="{escape(_ICON)}"><style>{style}</style></head><body><header>'
        f"<h1>{escape(name)} <small>of {escape(model)}</small></h1>"
        f'<p><span class="phase {escape(status.phase.value)}">{escape(status.phase.value)}</span> '
        f"{escape(status.reason)}</p></header><main>{body}</main>"
        f"<footer>Slipway report, {escape(made)}</footer></body></html>\n"
    )
