"""Buckets, on a real S3 server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import obstore
import pytest
from obstore.store import S3Store
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from servers.kit.errors import InvalidInput, NotFound, SalamError, UpstreamError
from servers.rag.sources.addresses import Addresses
from servers.rag.sources.bucket import Bucket
from servers.rag.sources.presigning import Keys, presigned
from tests.rag.sources.conftest import S3, Site

PRIVATE = Addresses(private=True)


async def opened(s3: S3, path: str = "", **options: str) -> Bucket:
    keys = {"access_key": "test", "secret_key": "test"}
    return await Bucket.open(f"s3://{s3.bucket}{path}", addresses=PRIVATE, endpoint=s3.endpoint, **(keys | options))


async def names(bucket: Bucket) -> list[str]:
    return [entry.name async for entry in bucket.entries()]


async def test_objects_are_listed_by_key_and_fetched(s3: S3) -> None:
    for key in ("guides/b.md", "guides/été/عربي.md", "a.pdf", "guides/.hidden", "guides/folder/"):
        s3.put(key, b"" if key.endswith("/") else key.encode())
    bucket = await opened(s3)
    assert await names(bucket) == ["a.pdf", "guides/b.md", "guides/été/عربي.md"]
    assert [entry.size async for entry in bucket.entries()] == [5, 11, 24]
    assert (await bucket.fetch("guides/été/عربي.md")).data == "guides/été/عربي.md".encode()


async def test_a_prefix_is_all_that_is_seen(s3: S3) -> None:
    s3.put("guides/b.md", b"b")
    s3.put("secret/a.md", b"a")
    bucket = await opened(s3, "/guides")
    assert await names(bucket) == ["b.md"]
    assert (await bucket.fetch("b.md")).data == b"b"
    for name in ("../secret/a.md", "secret/a.md", "none.md"):
        with pytest.raises((NotFound, UpstreamError)):
            await bucket.fetch(name)


async def test_a_listing_of_several_answers(s3: S3) -> None:
    for number in range(7):
        s3.put(f"{number}&+ é.md", b"x")
    bucket = await Bucket.open(f"s3://{s3.bucket}", addresses=PRIVATE, endpoint=s3.endpoint, at_once=3)
    assert await names(bucket) == [f"{number}&+ é.md" for number in range(7)]


async def test_a_bucket_that_is_not_there_is_said_to_be(s3: S3) -> None:
    bucket = await Bucket.open(
        "s3://no-such-bucket", addresses=PRIVATE, endpoint=s3.endpoint, access_key="a", secret_key="b"
    )
    with pytest.raises(NotFound):
        await names(bucket)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", InvalidInput),
        (403, "SignatureDoesNotMatch", InvalidInput),
        (401, "InvalidAccessKeyId", InvalidInput),
        (404, "NoSuchBucket", NotFound),
        (503, "SlowDown", UpstreamError),
    ],
)
async def test_what_a_server_refuses_is_said_in_our_words(
    site: Site, status: int, code: str, error: type[SalamError]
) -> None:
    async def refuse(_: Request) -> Response:
        return Response(f"<Error><Code>{code}</Code><Message>secret</Message></Error>", status, media_type="text/xml")

    site.answer = refuse
    bucket = await Bucket.open("s3://bucket", addresses=PRIVATE, endpoint=site.url, access_key="a", secret_key="b")
    with pytest.raises(error) as listing:
        await names(bucket)
    with pytest.raises(error) as fetching:
        await bucket.fetch("a.md")
    assert "secret" not in listing.value.message + fetching.value.message


async def test_a_server_that_is_down_is_said_to_be() -> None:
    bucket = await Bucket.open("s3://bucket", addresses=PRIVATE, endpoint="http://127.0.0.1:1")
    with pytest.raises(UpstreamError):
        await names(bucket)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9000", "http://169.254.169.254", "http://[::1]", "http://10.0.0.1"]
)
async def test_private_servers_are_refused(endpoint: str) -> None:
    with pytest.raises(InvalidInput):
        await Bucket.open("s3://bucket", addresses=Addresses(), endpoint=endpoint)


async def test_a_server_cannot_send_us_elsewhere(site: Site) -> None:
    async def away(_: Request) -> Response:
        return RedirectResponse(f"{site.url}/elsewhere")

    site.answer = away
    bucket = await Bucket.open("s3://bucket", addresses=PRIVATE, endpoint=site.url)
    with pytest.raises(InvalidInput):
        await bucket.fetch("a.md")
    with pytest.raises(InvalidInput):
        await names(bucket)
    await bucket.close()
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    "listing",
    [
        "",
        "no XML",
        "<html><p>",
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        "<a>" * 100_000,
        "<a/>",
    ],
)
async def test_a_server_that_is_none_of_s3_is_said_to_be(site: Site, listing: str) -> None:
    async def answer(_: Request) -> Response:
        return Response(listing)

    site.answer = answer
    bucket = await Bucket.open("s3://bucket", addresses=PRIVATE, endpoint=site.url)
    with pytest.raises(UpstreamError, match="S3"):
        await names(bucket)
    await bucket.close()


async def test_requests_are_signed_as_other_clients_sign_them() -> None:
    """By what the library signs that keeps our own documents, at the same moment."""
    store = S3Store(
        "bucket",
        endpoint="https://s3.example.com:9000",
        region="eu-west-3",
        access_key_id="AK",
        secret_access_key="SK/+",
    )
    for key in ("a.md", "guides/été à (1)+~&=#?%20.md", "عربي.md"):
        signed = httpx.URL(await obstore.sign_async(store, "GET", key, timedelta(seconds=60)))
        at = datetime.strptime(signed.params["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        server = httpx.URL("https://s3.example.com:9000")
        ours = presigned(server, f"/bucket/{key}", {}, Keys("AK", "SK/+", "eu-west-3"), at=at, seconds=60)
        assert ours.params["X-Amz-Signature"] == signed.params["X-Amz-Signature"]


async def test_the_server_s_own_credentials_are_not_lent(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "ours")
    for keys in ({}, {"access_key": "theirs", "secret_key": "theirs"}):
        bucket = await Bucket.open("s3://bucket", addresses=PRIVATE, endpoint=site.url, **keys)
        with pytest.raises(NotFound):
            await names(bucket)
    assert site.asked
    said = [*site.asked, *(value for headers in site.headers for value in headers.values())]
    assert not [words for words in said if "ours" in words]
