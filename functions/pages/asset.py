"""GET /assets/{file}: what the pages load.

An address that names the version (v) it wants is good for ever; any other is asked for again each time.
"""

from __future__ import annotations

from shared.pages.assets import assets, takes_gzip
from shared.problems import NotFound
from shared.web.handling import BROWSED, Hub, Request, Response, header_list, pairs, versioned

_FOR_EVER = "public, max-age=31536000, immutable"


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the file, or 304."""
    file = request.path_params["file"]
    if file not in assets():
        raise NotFound(f"There is no asset {file!r}.")

    asset = assets()[file]
    gzipped = takes_gzip(header_list(request, "accept-encoding"))
    etag = f'"{asset.version}-gzip"' if gzipped else f'"{asset.version}"'
    caching = _FOR_EVER if dict(pairs(request)).get("v") == asset.version else "no-cache"

    headers = {**BROWSED, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    return versioned(request, etag, asset.gzipped if gzipped else asset.body, headers, asset.media_type)
