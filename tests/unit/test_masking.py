import pytest

from concurtrace.model import masking


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("--token", "abc", "go"), ("--token", "***", "go")),
        (("--token=abc", "go"), ("--token=***", "go")),
        (("--my-api-key", "--verbose"), ("--my-api-key", "--verbose")),
        (("-p", "80", "--port", "1"), ("-p", "80", "--port", "1")),
        (("SECRET_KEY=abc", "A=b"), ("SECRET_KEY=***", "A=b")),
        (("https://me:pw@host/x",), ("https://me:***@host/x",)),
        (("--url=https://me:pw@host",), ("--url=https://me:***@host",)),
        (("the token is a word",), ("the token is a word",)),
        (("password", "next"), ("password", "next")),
        (("sh", "-c", "run --token abc x"), ("sh", "-c", "run --token *** x")),
        (("sh", "-c", "DB_PASSWORD=abc run"), ("sh", "-c", "DB_PASSWORD=***")),
        (("-c", "connect(password='a b', n=1)"), ("-c", "connect(password=***")),
        (("-c", "go(1); connect(password='a b')"), ("-c", "go(1); connect(password=***)")),
        (("-H", "Authorization: Bearer abc"), ("-H", "Authorization: Bearer ***")),
        (("curl", "-u", "me:abc", "host:80"), ("curl", "-u", "me:***", "host:80")),
        (("/usr/bin/mysqldump", "-pabc", "db"), ("/usr/bin/mysqldump", "-p***", "db")),
        (("sshpass", "-p", "abc", "ssh", "host"), ("sshpass", "-p", "***", "ssh", "host")),
        (("--author", "me", "-pabc"), ("--author", "me", "-pabc")),
        (("-m", "keyring"), ("-m", "keyring")),
        (("--db-pass", "abc", "DB_PASS=abc"), ("--db-pass", "***", "DB_PASS=***")),
        (("--passes", "3", "--bypass", "x"), ("--passes", "3", "--bypass", "x")),
        (("https://host/x?Signature=abc",), ("https://host/x?Signature=***",)),
    ],
)
def test_secrets_are_masked(given: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert masking.mask_arguments(given) == shown
    # What is stored masked is masked again when it is shown.
    assert masking.mask_arguments(shown) == shown


def test_what_an_error_says_is_told() -> None:
    said = "KeyError: 'page'; AuthenticationError: digest sent; see key: abc"
    assert (
        masking.mask_text(said)
        == "KeyError: 'page'; AuthenticationError: digest sent; see key: ***"
    )


def test_a_long_text_is_masked_in_time_in_proportion() -> None:
    for part in ("key", "a.", "-", "a ", "key ", "='"):
        assert len(masking.mask_text(part * 100_000)) > 0
