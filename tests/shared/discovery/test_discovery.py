from __future__ import annotations

from shared.discovery import links


def test_the_documents_are_beneath_the_public_url() -> None:
    assert links("") == '</.well-known/ard.json>; rel="ard", </.well-known/ai-catalog.json>; rel="ai-catalog"'
    assert links("/tools/reuse").startswith('</tools/reuse/.well-known/ard.json>; rel="ard", </tools/reuse/')
