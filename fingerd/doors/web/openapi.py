"""What programs can ask for, as OpenAPI describes it: it is served as C{/openapi.json}."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).with_name("openapi.json").read_bytes()
