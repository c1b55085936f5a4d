"""The hub, what reads requests and what makes responses: everything that a handler needs of HTTP, in one import.

Only ``functions/`` imports this module, because it loads the hub and starlette. Modules of ``shared/`` import the parts
that they use.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shared.hub import Hub
from shared.parameters import HTML, JSON, YAML
from shared.web.answers import (
    BROWSED,
    CACHED,
    OPEN,
    UNCACHED,
    answer,
    if_match,
    json_answer,
    next_page,
    not_modified,
    page,
    tag_of,
    tag_of_body,
    unchanged,
    versioned,
)
from shared.web.body import MERGE_PATCH, has_body, leave_body, read_document, read_json
from shared.web.query import Parameters, coding, header_list, pairs, read_query

__all__ = [
    "BROWSED", "CACHED", "HTML", "JSON", "MERGE_PATCH", "OPEN", "UNCACHED", "YAML", "Hub", "Parameters", "Request",
    "Response", "answer", "coding", "has_body", "header_list", "if_match", "json_answer", "leave_body", "next_page",
    "not_modified", "page", "pairs", "read_document", "read_json", "read_query", "tag_of", "tag_of_body", "unchanged",
    "versioned",
]  # fmt: skip
