"""A bucket: addresses that open one file for a while, and what is told of a bucket that fails."""

import logging
import os
import random
import signal
import subprocess
import sys
import traceback
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.stub import Stubber
from django.conf import settings as loaded
from django.core.files.base import ContentFile

from providers import bucket as bucket_module
from providers import storage
from providers.bucket import Bucket, BucketAway
from tests.s3 import KEY_ID, SECRET

CONTENT = random.Random(1).randbytes(300_000)
NAME = "made/fox.mp4"
SHOWN = {"content_type": "video/mp4", "disposition": 'attachment; filename="fox.mp4"'}


@pytest.fixture
def kept(bucket):
    bucket.save(NAME, ContentFile(CONTENT))
    return bucket


@pytest.fixture
def in_haste(monkeypatch):
    """Tries follow each other at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def gate(s3_server):
    return s3_server.gate


def another(s3_server, bucket, **options):
    """The same bucket, reached in another way."""
    return Bucket(**s3_server.options(bucket.bucket_name, **options))


def get(url, **headers):
    return requests.get(url, headers=headers, timeout=30)


# --- Addresses ---------------------------------------------------------------------------------------------


def test_an_address_opens_the_file_to_anybody_with_the_headers_we_chose(kept):
    answer = get(storage.address(NAME, **SHOWN))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="fox.mp4"'
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("0-99", 0, 99), ("299990-", 299990, 299999), ("-9", 299991, 299999)]
)
def test_a_part_of_it(kept, wanted, first, last):
    answer = get(storage.address(NAME, **SHOWN), Range=f"bytes={wanted}")
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/300000"


def test_a_part_beyond_its_end(kept):
    assert get(storage.address(NAME, **SHOWN), Range="bytes=300000-").status_code == 416


def test_an_address_works_for_fifteen_minutes_and_no_longer(kept, gate):
    url = storage.address(NAME, **SHOWN)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["900"]
    gate.ahead = 890
    assert get(url).status_code == 200
    gate.ahead = 910
    assert get(url).status_code == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fox.mp4?", "owl.mp4?"),
        ("X-Amz-Expires=900", "X-Amz-Expires=9000"),
        ("video%2Fmp4", "text%2Fhtml"),
        ("attachment", "inline"),
        ("X-Amz-Date=2", "X-Amz-Date=3"),
    ],
)
def test_an_address_opens_nothing_else_and_in_no_other_way(kept, old, new):
    kept.save("made/owl.mp4", ContentFile(CONTENT))
    url = storage.address(NAME, **SHOWN)
    assert url.replace(old, new) != url
    assert get(url.replace(old, new)).status_code == 403


def test_an_address_neither_writes_nor_deletes(kept):
    url = storage.address(NAME, **SHOWN)
    assert requests.put(url, data=b"other", timeout=30).status_code == 403
    assert requests.delete(url, timeout=30).status_code == 403
    assert kept.size(NAME) == len(CONTENT)


def test_without_an_address_nobody_gets_in(kept):
    bare = storage.address(NAME, **SHOWN).split("?")[0]
    assert get(bare).status_code == 403
    assert get(bare.removesuffix(NAME)).status_code == 403
    assert kept.open_to_strangers() == []


def test_addresses_are_not_made_where_files_go_through_us(kept, s3_server):
    through_us = another(s3_server, kept, querystring_expire=0)
    assert through_us.address(NAME, **SHOWN) is None


def test_a_folder_has_no_addresses():
    assert storage.address(NAME, **SHOWN) is None


@pytest.mark.parametrize(
    ("region", "style", "origin"),
    [
        ("us-east-1", "virtual", "https://films.s3.us-east-1.amazonaws.com"),
        ("eu-central-1", "virtual", "https://films.s3.eu-central-1.amazonaws.com"),
        ("eu-central-1", "path", "https://s3.eu-central-1.amazonaws.com"),
    ],
)
def test_addresses_lead_where_the_pages_may_load_from(s3_server, region, style, origin):
    from vidgenie.settings import bucket_origin

    place = {"region_name": region, "addressing_style": style, "endpoint_url": f"https://s3.{region}.amazonaws.com"}
    options = s3_server.options("films", **place)
    parts = urlsplit(Bucket(**options).address(NAME, **SHOWN))
    assert f"{parts.scheme}://{parts.netloc}" == bucket_origin(options) == origin


# --- What goes wrong ---------------------------------------------------------------------------------------


def every_way(place):
    """All that can be asked of a storage."""
    return {
        "open": lambda: place.open(NAME).read(),
        "save": lambda: place.save("made/owl.mp4", ContentFile(b"x")),
        "exists": lambda: place.exists(NAME),
        "size": lambda: place.size(NAME),
        "delete": lambda: place.delete(NAME),
        "list": lambda: place.listdir("made"),
    }


def complaints(place):
    """What each way raises, in words."""
    return {way: complaint(ask) for way, ask in every_way(place).items()}


def complaint(ask):
    with pytest.raises(OSError, match=r".") as caught:
        ask()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return (type(caught.value), caught.value.strerror)


def test_a_server_that_is_gone_is_away_and_when_it_is_back_all_is_there(kept, s3_server, in_haste):
    s3_server.stop()
    try:
        said = set(complaints(kept).values())
    finally:
        s3_server.start()
    assert said == {(BucketAway, "bucket: EndpointConnectionError")}
    assert kept.open(NAME).read() == CONTENT
    assert not kept.exists("made/owl.mp4")


def test_a_server_that_says_nothing_is_left_after_a_while(s3_server, bucket, in_haste, monkeypatch):
    import socket

    monkeypatch.setattr(bucket_module, "PATIENCE", {"connect_timeout": 0.2, "read_timeout": 0.2})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = another(s3_server, bucket, endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert complaint(lambda: place.exists(NAME)) == (BucketAway, "bucket: ReadTimeoutError")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"access_key": "AKIAOTHER"}, "InvalidAccessKeyId"), ({"secret_key": "other"}, "SignatureDoesNotMatch")],
)
def test_a_wrong_key_is_refused_whatever_is_asked(kept, s3_server, wrong, said):
    found = complaints(another(s3_server, kept, **wrong))
    for way in ("exists", "size"):  # what they ask with, HEAD, is answered without a word
        assert found.pop(way) == (BucketAway, "bucket: 403")
    assert set(found.values()) == {(BucketAway, f"bucket: {said}")}
    assert kept.open(NAME).read() == CONTENT


def test_an_address_made_with_a_wrong_key_opens_nothing(kept, s3_server):
    assert get(another(s3_server, kept, secret_key="other").address(NAME, **SHOWN)).status_code == 403


def test_without_any_key_nothing_is_asked(kept, s3_server, gate, monkeypatch, tmp_path):
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = list(gate.asked)
    place = another(s3_server, kept, access_key=None, secret_key=None)
    assert set(complaints(place).values()) == {(BucketAway, "bucket: NoCredentialsError")}
    assert gate.asked == before


def test_the_key_may_come_from_where_boto_looks(kept, s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert another(s3_server, kept, access_key=None, secret_key=None).open(NAME).read() == CONTENT


def test_a_bucket_that_is_missing_does_not_make_files_look_missing(s3_server, kept):
    found = complaints(another(s3_server, kept, bucket_name="never-made"))
    assert found.pop("size") == (FileNotFoundError, "not in the bucket")  # only ever asked of what is there
    assert set(found.values()) == {(BucketAway, "bucket: NoSuchBucket")}


def test_what_the_bucket_is_too_busy_for_is_asked_again(kept, gate, in_haste):
    gate.asked.clear()
    gate.line = ["SlowDown", "InternalError"]
    kept.save("made/owl.mp4", ContentFile(CONTENT))
    assert gate.asked == [f"PUT /{kept.bucket_name}/made/owl.mp4"] * 3
    assert kept.open("made/owl.mp4").read() == CONTENT


def test_a_bucket_that_stays_too_busy_is_away(kept, gate, in_haste):
    gate.asked.clear()
    gate.always = "SlowDown"
    assert complaint(lambda: kept.save("made/owl.mp4", ContentFile(CONTENT))) == (BucketAway, "bucket: SlowDown")
    assert len(gate.asked) == bucket_module.TRIES


@pytest.mark.parametrize("code", ["SlowDown", "AccessDenied", "QuotaExceeded", "RequestTimeout", "InvalidObjectState"])
def test_whatever_the_bucket_complains_of_is_told_as_a_disk_would(bucket, code):
    with Stubber(bucket.connection.meta.client) as stub:
        stub.add_client_error("put_object", code, http_status_code=400)
        assert complaint(lambda: bucket.save(NAME, ContentFile(b"x"))) == (BucketAway, f"bucket: {code}")


def test_a_file_that_breaks_off_on_its_way_is_no_file(kept, gate):
    gate.line = ["cut"]
    assert complaint(lambda: kept.open(NAME).read()) == (BucketAway, "bucket: IncompleteReadError")


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_other(kept):
    with kept.open(NAME) as file:
        assert file.read(10) == CONTENT[:10]
        kept.save(NAME, ContentFile(b"other" * 100_000))
        file.seek(250_000)
        assert complaint(file.read) == (BucketAway, "bucket: PreconditionFailed")


def test_whoever_is_killed_while_it_goes_up_leaves_nothing(kept, s3_server):
    child = os.fork()
    if not child:
        upload_and_die(another(s3_server, kept))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert kept.open(NAME).read() == CONTENT
    assert kept.connection.meta.client.list_multipart_uploads(Bucket=kept.bucket_name).get("Uploads", []) == []


def upload_and_die(place):
    import http.client

    send = http.client.HTTPConnection.send

    def send_some(connection, data):
        send(connection, data)
        if not isinstance(data, bytes) or len(data) < 10_000:  # the head of a request
            return
        os.kill(os.getpid(), signal.SIGKILL)

    http.client.HTTPConnection.send = send_some
    place.save(NAME, ContentFile(b"other" * 8_000_000))
    os._exit(0)


# --- Connections, names, privacy ---------------------------------------------------------------------------


def test_all_threads_of_a_process_share_one_client_and_a_fork_has_its_own(kept):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as threads:
        clients = set(threads.map(lambda _: id(kept.connection.meta.client), range(8)))
    assert clients == {id(kept.connection.meta.client)}
    child = os.fork()
    if not child:
        os._exit(id(kept.connection.meta.client) in clients or kept.open(NAME).read() != CONTENT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_bucket_is_made_once_and_is_private(s3_server, bucket):
    place = another(s3_server, bucket, bucket_name=f"{bucket.bucket_name[:40]}-new")
    place.make()
    place.save(NAME, ContentFile(b"x"))
    place.make()
    assert (place.open(NAME).read(), place.open_to_strangers()) == (b"x", [])


@pytest.mark.parametrize("rights", [["read"], ["list"]])
def test_a_bucket_that_strangers_may_use_is_noticed(bucket, gate, monkeypatch, rights):
    gate.listed_for_all = rights == ["list"]
    bucket.object_parameters = {"ACL": "public-read"} if rights == ["read"] else {}
    assert bucket.open_to_strangers() == rights
    assert bucket.listdir("probes") == ([], [])


def test_files_can_only_be_read(kept):
    with pytest.raises(ValueError, match="opened to be read"):
        kept.open(NAME, "wb")


def test_no_signature_and_no_key_is_logged_even_when_everything_else_is(s3_server, kept):
    script = (
        "import django; django.setup()\n"
        "from django.core.files.storage import default_storage as s\n"
        f"s.open({NAME!r}).read(); s.address({NAME!r}, content_type='video/mp4', disposition='inline')\n"
        "import logging; logging.getLogger('some').debug('all is told')"
    )
    done = subprocess.run([sys.executable, "-c", script], env=shell(s3_server, kept), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "all is told" in said
    assert not any(secret in said for secret in ("Signature", "Credential", KEY_ID, SECRET))


def shell(s3_server, kept):
    """The variables of a site that keeps its files in this bucket and logs all it can."""
    names = {"LOG_LEVEL": "DEBUG", "MEDIA_STORAGE": "s3", "S3_BUCKET": kept.bucket_name, "S3_ADDRESSING": "path"}
    place = {"S3_ENDPOINT_URL": s3_server.url, "S3_ACCESS_KEY_ID": KEY_ID, "S3_SECRET_ACCESS_KEY": SECRET}
    return os.environ | names | place | {"S3_REGION": "eu-central-1"}


def test_boto_would_tell_them_all_if_it_were_let(kept, caplog):
    """What the test above looks for is really told, by the library, to whoever listens."""
    with caplog.at_level(logging.DEBUG, "botocore"):
        kept.exists(NAME)
    assert "Signature=" in caplog.text
    assert loaded.LOGGING["loggers"]["botocore"] == {"level": "WARNING"}


def test_the_gate_of_these_tests_takes_what_amazon_s_own_client_signs(kept, s3_server):
    client = boto3.client(
        "s3",
        region_name="eu-central-1",
        endpoint_url=s3_server.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    assert client.get_object(Bucket=kept.bucket_name, Key=NAME)["Body"].read() == CONTENT
