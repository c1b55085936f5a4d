from __future__ import annotations

import hashlib

from shared.client_file import client_file


def test_it_is_read_once_and_known_by_its_digest() -> None:
    file = client_file()

    assert client_file() is file
    assert file.sha256 == hashlib.sha256(file.body).hexdigest()
    assert file.digest_line == f"{file.sha256}  cli.py\n".encode()
    assert file.etag != file.digest_etag
