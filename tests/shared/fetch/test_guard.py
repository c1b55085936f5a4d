from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.fetch import urls
from shared.fetch.guard import Guard
from shared.problems import AddressRefused

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]
SPECIAL = {
    "this network": ["0.0.0.0", "0.255.255.255"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "shared between carriers": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local, with metadata services": ["169.254.0.1", "169.254.169.254", "fe80::1", "febf::1"],
    "protocol assignments": ["192.0.0.1", "192.0.0.192", "2001::1", "2001:1::1", "2001:20::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "relays of 6to4": ["192.88.99.1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved and broadcast": ["240.0.0.1", "255.255.255.255", "4000::1", "e000::1"],
    "a provider's wire server": ["168.63.129.16"],
    "unspecified": ["::"],
    "unique local": ["fc00::1", "fd00:ec2::254"],
    "site-local of old": ["fec0::1"],
    "discard only": ["100::1", "100:0:0:1::1"],
    "segment routing": ["5f00::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34"],
    "IPv4-compatible": ["::127.0.0.1", "::93.184.216.34"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::5db8:d822", "64:ff9b:1::10.0.0.1"],
    "6to4": ["2002:7f00:1::", "2002:5db8:d822::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "ISATAP at a public prefix": ["2606:2800::5efe:127.0.0.1", "2606:2800::200:5efe:10.0.0.1"],
}
NEIGHBOURS = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
    "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
    "223.255.255.255", "2001:200::1", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2600::1", "3ffe:ffff::1",
    "3fff:1000::1",
]  # fmt: skip
ODD_SPELLINGS = [
    "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001",
    "127.000.000.001", "0x7f.0.0.1", "127.0.0.1.", "2130706433.", "0x.", "1.2.3.4.5", "256.256.256.256", "00.0.0.0",
    "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1", "127\uff610\uff610\uff611", "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[0000::1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "a.0x7f", "a.1",
    "a.1.",
]  # fmt: skip
PRIVATE_NAMES = [
    "localhost", "intranet", "localhost.", "LOCALHOST", "a.localhost", "printer.local", "metadata.google.internal",
    "internal", "router.home.arpa", "abc.onion", "hub.default.svc", "hub.default.svc.cluster.local", "a.LOCAL.",
    "kubernetes.default.svc.", "svc.cluster.local",
]  # fmt: skip


def judged(guard: Guard, host: str, port: str = "") -> str:
    """Return what *guard* says about a URL at *host*, or nothing."""
    try:
        guard.judge(urls.parse(f"https://{host}{port}/index.yaml"))
    except (AddressRefused, urls.UrlRefused) as fault:
        return str(fault)
    return ""


def written(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.mark.parametrize("addresses", SPECIAL.values(), ids=SPECIAL)
async def test_special_addresses_are_refused_written_out_and_as_answers(
    guard: Guard, addresses: list[str], answers: Callable[..., list[str]]
) -> None:
    for address in addresses:
        assert "not on the public internet" in judged(guard, written(address)), address
        answers(address)
        with pytest.raises(AddressRefused):
            await guard.addresses("h.example", 443)


@pytest.mark.parametrize("address", [*PUBLIC, *NEIGHBOURS])
async def test_addresses_beside_the_special_ranges_are_admitted(guard: Guard, address: str) -> None:
    assert judged(guard, written(address)) == ""
    assert await guard.addresses(address, 443) == [address]


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_no_spelling_of_an_address_passes_for_a_name(guard: Guard, host: str) -> None:
    assert judged(guard, host)


@pytest.mark.parametrize("host", PRIVATE_NAMES)
async def test_names_of_private_networks_are_refused_before_they_are_looked_up(
    guard: Guard, host: str, answers: Callable[..., list[str]]
) -> None:
    asked = answers(PUBLIC[0])

    assert "private network" in judged(guard, host)
    with pytest.raises(AddressRefused, match="private network"):
        await guard.addresses(host, 443)
    assert asked == []


@pytest.mark.parametrize("host", ["local.example", "svc.example.org", "internal.de", "1a.example", "a.1b", "0xg.de"])
def test_names_that_only_resemble_those_pass(guard: Guard, host: str) -> None:
    assert judged(guard, host) == ""


@pytest.mark.parametrize(("port", "passes"), [("", True), (":80", True), (":8443", True), (":22", False)])
def test_only_usual_ports_are_read(guard: Guard, port: str, *, passes: bool) -> None:
    for host in ("h.example", PUBLIC[0]):
        said = judged(guard, host, port)
        assert (said == "") is passes
        assert passes or said == f"The hub reads only from the ports 80, 443, 8080, 8443, and not from {port[1:]}."


@pytest.mark.parametrize("bad", ["10.0.0.1", "::1", "fe80::1%eth0"])
async def test_one_bad_answer_refuses_the_name(guard: Guard, answers: Callable[..., list[str]], bad: str) -> None:
    for given in ([PUBLIC[0], bad], [bad, PUBLIC[0]]):
        answers(*given)
        with pytest.raises(AddressRefused):
            await guard.addresses("h.example", 443)


async def test_no_problem_names_an_address_that_only_the_resolver_told(
    guard: Guard, answers: Callable[..., list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    for address in ("10.20.30.40", "fd00:20::40", "127.0.0.1"):
        answers(PUBLIC[0], address)
        with pytest.raises(AddressRefused) as fault:
            await guard.addresses("wiki.corp.example", 443)
        assert str(fault.value) == "The name leads to an address that is not on the public internet."
        assert f"the name wiki.corp.example leads to {address}," in caplog.text, "the operator can see it"

    with pytest.raises(AddressRefused, match=r"The address 10\.20\.30\.40 is not on the public internet"):
        await guard.addresses("10.20.30.40", 443)


async def test_all_good_answers_are_admitted_once_each_without_search_lists(
    guard: Guard, answers: Callable[..., list[str]]
) -> None:
    asked = answers(*PUBLIC, PUBLIC[0])

    assert await guard.addresses("H.example.", 443) == PUBLIC
    assert asked == ["h.example."]


# What the operator named in REUSE_SURFACE_ALLOW_NETWORKS.


@pytest.fixture
def trusting() -> Guard:
    return Guard(["10.1.0.0/16", "fd00:1::/64", "Hub.default.svc.cluster.local.", "intranet"])


@pytest.mark.parametrize("host", ["10.1.2.3", "[fd00:1::5]", "hub.default.svc.cluster.local", "Intranet."])
@pytest.mark.parametrize("port", ["", ":3000"])
def test_named_networks_and_hosts_pass_at_any_port(trusting: Guard, host: str, port: str) -> None:
    assert judged(trusting, host, port) == ""


@pytest.mark.parametrize("host", ["10.2.0.1", "[fd00:2::5]", "other.default.svc.cluster.local", "a.intranet.local"])
def test_others_do_not(trusting: Guard, host: str) -> None:
    assert judged(trusting, host)


async def test_a_named_host_may_lie_anywhere(trusting: Guard, answers: Callable[..., list[str]]) -> None:
    asked = answers("192.168.7.7")

    assert await trusting.addresses("intranet", 3000) == ["192.168.7.7"]
    assert asked == ["intranet"], "the operator's own names may use the search list"


async def test_the_address_decides_about_the_port_of_other_names(
    trusting: Guard, answers: Callable[..., list[str]]
) -> None:
    assert judged(trusting, "h.example", ":3000") == ""

    answers("10.1.2.3")
    assert await trusting.addresses("h.example", 3000) == ["10.1.2.3"]
    answers(PUBLIC[0])
    with pytest.raises(AddressRefused, match="not from 3000"):
        await trusting.addresses("h.example", 3000)
