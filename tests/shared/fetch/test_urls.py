from __future__ import annotations

import pytest

from shared.fetch import urls


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("https://h.example/" + "a" * 2048, "2,048 characters", id="too long"),
        pytest.param("https://h.example/a b", "blank", id="a blank"),
        pytest.param("https://h.example/\n", "blank", id="a line feed"),
        pytest.param("https://h.example\\@evil.example/", "backslash", id="a backslash"),
        pytest.param("https://h\u200b.example/", "blank", id="an invisible character"),
        pytest.param("https://h\u2060.example/", "blank", id="a word joiner"),
        pytest.param("https://h\u00ad.example/", "blank", id="a soft hyphen"),
        pytest.param("https://[::1/", "not a URL", id="half a bracket"),
        pytest.param("https://h.example:99999999999/", "port", id="a port of many digits"),
        pytest.param("https://xn--/", "not a URL", id="an A-label of nothing"),
        pytest.param("ftp://h.example/", "http or https", id="another scheme"),
        pytest.param("file:///etc/passwd", "http or https", id="a file"),
        pytest.param("//h.example/", "http or https", id="no scheme"),
        pytest.param("registry/capabilities.yaml", "http or https", id="a relative path"),
        pytest.param("http:h.example/", "http or https", id="no slashes"),
        pytest.param("http:///path", "http or https", id="no host"),
        pytest.param("https://user:secret@h.example/", "user name", id="user info"),
        pytest.param("https://@h.example/", "user name", id="empty user info"),
        pytest.param("http://१२७.0.0.1/", "ASCII", id="Devanagari digits"),
        pytest.param("http://h.example:\uff18\uff10/", "ASCII", id="digits of full width in the port"),
        pytest.param("http://①②⑦.0.0.1/", "URL", id="digits in circles"),
        pytest.param("https://h.example/#part", "fragment", id="a fragment"),
        pytest.param("https://h.example/#", "fragment", id="an empty fragment"),
        pytest.param("https://h%2eexample/", "host", id="an escape in the host"),
        pytest.param("https://[fe80::1%25eth0]/", "host", id="a zone"),
        pytest.param("https://a..example/", "host", id="an empty label"),
        pytest.param("https://h.example../", "host", id="two dots at the end"),
        pytest.param(f"https://{'a' * 64}.example/", "host", id="a long label"),
        pytest.param(f"https://{'a.' * 127}example/", "host", id="a long host"),
        pytest.param("https://h.example:0/", "port", id="port 0"),
        pytest.param("https://h.example:65536/", "port", id="port 65536"),
        pytest.param("https://h.example:-1/", "port", id="a negative port"),
    ],
)
def test_refuses_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(urls.UrlRefused, match=says):
        urls.parse(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://H.Example", "https://h.example/"),
        ("https://h.example:443/a", "https://h.example/a"),
        ("http://h.example:80", "http://h.example/"),
        ("http://h.example:8080/a", "http://h.example:8080/a"),
        ("https://h.example:80/a", "https://h.example:80/a"),
        ("https://h.example./a", "https://h.example/a"),
        ("https://h.example/a/./b/../c", "https://h.example/a/c"),
        ("https://h.example/../../c", "https://h.example/c"),
        ("https://h.example?x=1", "https://h.example/?x=1"),
        ("https://Bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://[2606:4700::1]:443/a", "https://[2606:4700::1]/a"),
        ("https://h.example:/a", "https://h.example/a"),
    ],
)
def test_spellings_of_one_url_have_one_normal_form(text: str, normal: str) -> None:
    assert urls.normal(text) == normal
    assert urls.normal(normal) == normal


def test_case_and_escapes_of_the_path_stay() -> None:
    assert urls.normal("https://h.example/A%2Fb") == "https://h.example/A%2Fb"


def test_the_origin_is_scheme_host_and_port() -> None:
    texts = ("https://H.example/a", "http://h.example/", "http://h.example:8080")
    origins = [urls.origin(urls.parse(text)) for text in texts]

    assert origins == [("https", "h.example", 443), ("http", "h.example", 80), ("http", "h.example", 8080)]


@pytest.mark.parametrize("reference", ["http:///a", "https:/a", "HTTP:a", "https://?q", "https:"])
def test_a_reference_with_a_scheme_names_a_host(reference: str) -> None:
    with pytest.raises(urls.UrlRefused, match="does not hold a host name"):
        urls.join(urls.parse("https://h.example/"), reference)


def test_what_is_remembered_of_urls_is_bounded_in_bytes() -> None:
    texts = [f"https://h{number}.example/".ljust(urls.MAX_LENGTH, "x") for number in range(6000)]
    parsed = [urls.parse(text) for text in texts]

    assert urls.parse(texts[-1]) is parsed[-1]
    assert urls.parse(texts[0]) is not parsed[0]
    assert sum(len(str(url)) for url in urls._parsed.values()) < urls.REMEMBERED_BYTES / 4


def test_few_normal_forms_are_remembered_and_no_refusal() -> None:
    for number in range(6000):
        urls.normal(f"https://h{number}.example/".ljust(urls.MAX_LENGTH, "x"))
        with pytest.raises(urls.UrlRefused):
            urls.normal(f"https://h{number}.example/".ljust(urls.MAX_LENGTH + 1, "x"))

    assert urls.normal.cache_info().currsize == 64
