"""The shell library that every step shares: addresses, proxies, JSON, files, time limits, the package manager's lock."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from edge.steps import SCRIPTS

LIBRARY = "\n".join(path.read_text("utf-8") for path in sorted((SCRIPTS / "lib").glob("*.sh")))


def bash(script: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script after the library; `arguments` are its $1, $2, ..."""
    text = f"{LIBRARY}\neh_start test\n{script}\neh_end 0\n"
    return subprocess.run(
        ["/bin/bash", "-c", text, "test", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def reply(script: str, *arguments: str) -> str:
    """Return what a function leaves in REPLY."""
    done = bash(f'{script}\nprintf "%s" "$REPLY"', *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def holds(script: str, *arguments: str) -> bool:
    """Return whether a function ends 0."""
    done = bash(f"if {script}; then eh_end 0; else eh_end 1; fi", *arguments)
    assert done.stderr == ""
    return done.returncode == 0


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("10.0.0.0/8", "10.200.0.5/32", True),
        ("10.200.0.5", "10.0.0.0/8", True),
        ("10.0.0.0/9", "10.128.0.0/9", False),
        ("0.0.0.0/0", "203.0.113.9/32", True),
        ("192.168.0.0/16", "192.168.122.1/24", True),
        ("172.20.0.0/16", "172.17.0.1/16", False),
        ("255.255.255.255/32", "255.255.255.255", True),
        ("10.0.0.0/8", "fe80::1/64", False),
    ],
)
def test_blocks_overlap(one: str, other: str, wanted: bool) -> None:
    assert holds('eh_overlap "$1" "$2"', one, other) is wanted
    assert holds('eh_overlap "$2" "$1"', one, other) is wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("10.1.2.3", True), ("256.1.1.1", False), ("1.2.3", False), ("a.b.c.d", False), ("08.9.1.1", True), ("", False)],
)
def test_addresses_are_told_from_names(address: str, wanted: bool) -> None:
    assert holds('eh_is_ip4 "$1"', address) is wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("10.9.9.9", True), ("172.31.255.255", True), ("172.32.0.0", False), ("100.64.0.1", True), ("8.8.8.8", False)],
)
def test_private_addresses(address: str, wanted: bool) -> None:
    assert holds('eh_is_private "$1"', address) is wanted


@pytest.mark.row("A14")
@pytest.mark.parametrize(
    ("host", "port", "words", "wanted"),
    [
        ("eks.eu-central-1.amazonaws.com", "443", "", False),
        ("eks.eu-central-1.amazonaws.com", "443", ".amazonaws.com", True),
        ("eks.eu-central-1.amazonaws.com", "443", "amazonaws.com", True),
        ("eks.eu-central-1.amazonaws.com", "443", "*.amazonaws.com", True),
        ("notamazonaws.com", "443", "amazonaws.com", False),
        ("EKS.Example.com.", "443", "eks.example.COM", True),
        ("10.100.1.11", "443", "10.100.0.0/16,172.20.0.0/16", True),
        ("10.101.1.11", "443", "10.100.0.0/16,172.20.0.0/16", False),
        ("10.100.1.11", "443", "10.100.1.11", True),
        ("mirror.example", "8080", "mirror.example:8080", True),
        ("mirror.example", "443", "mirror.example:8080", False),
        ("anything", "443", "*", True),
        ("localhost", "443", "", True),
        ("127.0.0.9", "80", "", True),
    ],
)
def test_no_proxy(host: str, port: str, words: str, wanted: bool) -> None:
    assert holds('EH_NO_PROXY=$3; eh_no_proxy "$1" "$2"', host, port, words) is wanted


@pytest.mark.row("A14")
@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://10.0.0.2:3128", "http 10.0.0.2 3128 "),
        ("http://proxy.example", "http proxy.example 80 "),
        ("https://proxy.example/", "https proxy.example 443 "),
        ("10.0.0.2:8080", "http 10.0.0.2 8080 "),
        ("http://edge:p%40ss%3Aw0rd@10.0.0.2:3128/", "http 10.0.0.2 3128 ZWRnZTpwQHNzOncwcmQ="),
        ("http://a:b\\c@h:1", "http h 1 YTpiXGM="),
    ],
)
def test_proxy_addresses_are_taken_apart(url: str, wanted: str) -> None:
    done = bash('eh_proxy_parse "$1"; printf "%s" "$EH_PX_SCHEME $EH_PX_HOST $EH_PX_PORT $EH_PX_AUTH"', url)
    assert done.stdout == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://h.example/a/b:c", "h.example 443"),
        ("http://h.example", "h.example 80"),
        ("https://u:p@h:8443?x=@", "h 8443"),
    ],
)
def test_hosts_of_addresses(url: str, wanted: str) -> None:
    assert bash('eh_url_host "$1"; printf "%s" "$REPLY $REPLY2"', url).stdout == wanted


@pytest.mark.parametrize(
    "text", ["plain", 'with "quotes" and \\backslashes\\', "tab\tline\nreturn\r", "bell\a escape\x1b[31m", "Grüße"]
)
def test_json_texts_are_one_ascii_line(text: str) -> None:
    quoted = reply('eh_json "$1"', text)
    assert "\n" not in quoted
    plain = json.loads(quoted)
    assert all(" " <= char <= "~" for char in plain)
    assert [char for char in plain if char.isalnum()] == [char for char in text if char.isascii() and char.isalnum()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://edge:secret@10.0.0.2:3128/x and more", "http://***@10.0.0.2:3128/x and more"),
        ("two http://a:b@c https://d:e@f/g@h", "two http://***@c https://***@f/g@h"),
        ("mail me@example.com, see http://h/", "mail me@example.com, see http://h/"),
        ("http://a:b@c:d@host/", "http://***@host/"),
        ("none", "none"),
    ],
)
def test_logins_in_addresses_are_masked(text: str, wanted: str) -> None:
    assert reply('eh_mask "$1"', text) == wanted


def test_texts_are_cut() -> None:
    assert reply('eh_short "$1" 10', "0123456789") == "0123456789"
    assert reply('eh_short "$1" 10', "0123456789a") == "0123456..."


def test_digests() -> None:
    assert reply("eh_sha256 abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_a_child_has_no_stdin_and_a_time_limit() -> None:
    start = time.monotonic()
    done = bash('eh_run 5 cat; eh_run 1 sleep 30 || printf "%s" "$?"', stdin="swallow me")
    assert done.stdout == "124"
    assert time.monotonic() - start < 10


@pytest.mark.row("A14")
def test_proxy_variables_stand_in_both_cases_in_the_child_only() -> None:
    script = (
        "EH_PROXY_HTTP=http://p:1 EH_PROXY_HTTPS=http://p:2 EH_NO_PROXY=a,b EH_WRITE=0\n"
        "seen=$(eh_proxy_export; env | sort | grep -i _proxy= | tr '\\n' ' ')\n"
        'printf "%s|%s" "$seen" "$(env | grep -ci _proxy=)"'
    )
    done = bash(script)
    seen, _, outside = done.stdout.partition("|")
    assert seen.split() == [
        *("HTTPS_PROXY=http://p:2", "HTTP_PROXY=http://p:1", "NO_PROXY=a,b"),
        *("http_proxy=http://p:1", "https_proxy=http://p:2", "no_proxy=a,b"),
    ]
    assert outside == "0"


def test_retries_stop_at_the_first_success() -> None:
    script = 'count=0; try() { count=$((count + 1)); [ "$count" = 3 ]; }; eh_retry 5 0 try; printf "%s" "$count"'
    assert bash(script).stdout == "3"
    assert bash("eh_retry 2 0 false || printf gave-up").stdout == "gave-up"


def test_files_are_replaced_in_one_step_with_their_mode(tmp_path: Path) -> None:
    script = 'EH_WRITE=1 EH_ROOT=$1; eh_write /made 0640 "two\nlines"; eh_same /made "two\nlines" && ! eh_same /made "two\nlines\n"'
    assert bash(script, str(tmp_path)).returncode == 0
    made = tmp_path / "made"
    assert made.read_text() == "two\nlines"
    assert made.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [made]


def test_a_look_that_tries_to_write_is_stopped(tmp_path: Path) -> None:
    done = bash("EH_WRITE=0 EH_ROOT=$1; eh_write /made 0600 x", str(tmp_path))
    assert done.returncode == 90
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_failure_ends_with_ninety() -> None:
    """A command's own code could be taken for one that has a meaning (10: checks red)."""
    done = bash("(exit 10)")
    assert done.returncode == 90
    assert "broke off" in done.stderr
    assert bash("eh_end 10").returncode == 10


@pytest.mark.row("A8")
def test_the_holder_of_the_package_managers_lock_is_named_and_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "var/lib/dpkg/lock-frontend"
    fds = tmp_path / "proc/4711/fd"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    fds.mkdir(parents=True)
    (fds / "4").symlink_to(lock)
    (tmp_path / "proc/4711/comm").write_text("unattended-upgr\n")
    done = bash('EH_ROOT=$1; eh_wait_lock 2 || printf "%s" "$REPLY"', str(tmp_path))
    assert done.stdout == "unattended-upgr (4711)"
    assert "waiting for unattended-upgr (4711)" in done.stderr
    (fds / "4").unlink()
    assert bash("EH_ROOT=$1; eh_wait_lock 2", str(tmp_path)).returncode == 0
