"""What operators are told of a bucket: before a deployment, and when a test environment is set up."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from tests.s3 import bucket, s3_server
from vidgenie.management import test_environment as parts

__all__ = ["bucket", "s3_server"]

PROJECT = Path(__file__).resolve().parents[2]
SITE = {
    "VIDGENIE_ENVIRONMENT": "production",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "video.example.org",
    "DATABASE_URL": "postgresql://vidgenie@localhost/vidgenie",
    "MEDIA_STORAGE": "s3",
    "S3_BUCKET": "films",
}


def ids(*, deploying: bool = True) -> list[str]:
    found = run_checks(tags=None, include_deployment_checks=deploying)
    return [str(one.id) for one in found if (one.id or "").startswith("vidgenie.")]


def settings_say(what: str, **environment: str) -> str:
    """An expression's value in a site's settings; what they complain of when they are not taken."""
    script = f"from vidgenie import settings as s; print(({what}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_a_folder_and_a_private_bucket_are_fine(bucket: Any) -> None:
    assert ids() == []


def test_a_bucket_is_asked_before_a_deployment_only(bucket: Any, s3_server: Any) -> None:
    s3_server.gate.always = "InvalidAccessKeyId"
    assert (ids(deploying=False), s3_server.gate.asked) == ([], [])
    assert ids() == ["vidgenie.E010"]


def test_a_bucket_that_is_missing_is_an_error(bucket: Any) -> None:
    bucket.bucket_name = "never-made"
    assert ids() == ["vidgenie.E010"]


def test_a_bucket_that_anybody_may_list_or_read_is_an_error(bucket: Any, s3_server: Any) -> None:
    s3_server.gate.listed_for_all = True
    bucket.object_parameters = {"ACL": "public-read"}
    assert ids() == ["vidgenie.E011"]
    assert parts.bucket_row(True).evidence == "anybody may read and list what is in it"


def test_a_test_environment_makes_its_bucket_and_tries_it(bucket: Any) -> None:
    bucket.bucket_name += "-2"
    row = parts.bucket_row(True)
    assert (row.verdict, row.evidence) == ("pass", "written, read, deleted; closed to strangers")
    assert (parts.storage_row(True).verdict, bucket.listdir("")) == ("noted", ([], []))


def test_a_look_changes_nothing(bucket: Any, s3_server: Any) -> None:
    assert (parts.bucket_row(False).verdict, parts.bucket_row(False).evidence) == ("pass", "it answers")
    bucket.bucket_name += "-3"
    assert (parts.bucket_row(False).verdict, parts.bucket_row(False).evidence) == ("fail", "bucket: NoSuchBucket")
    assert [asked for asked in s3_server.gate.asked if not asked.startswith("GET")] == []


def test_a_bucket_that_refuses_fails(bucket: Any, s3_server: Any) -> None:
    s3_server.gate.always = "InvalidAccessKeyId"
    assert (parts.bucket_row(True).verdict, parts.bucket_row(False).verdict) == ("fail", "fail")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"S3_BUCKET": ""}, "S3_BUCKET is ''; a bucket's name has"),
        ({"S3_BUCKET": "my.films"}, "S3_BUCKET is 'my.films'"),
        ({"S3_ACCESS_KEY_ID": "AKIA"}, "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together"),
        ({"S3_ENDPOINT_URL": "http://s3.example.org"}, "S3_ENDPOINT_URL must look like https://s3.example.org"),
        ({"S3_ENDPOINT_URL": "https://s3.example.org/films"}, "S3_ENDPOINT_URL must look like"),
        ({"S3_ADDRESSING": "auto"}, "S3_ADDRESSING is 'auto'; it must be one of virtual, path"),
        ({"S3_SIGNED_SECONDS": "3600"}, "S3_SIGNED_SECONDS is 3600; an address may open a file for 900 at most"),
        ({"MEDIA_STORAGE": "S3"}, "MEDIA_STORAGE is 'S3'; it must be one of files, s3"),
        ({"S3_ACCESS_KEY_ID": "AKIA", "S3_SECRET_ACCESS_KEY_FILE": "/nowhere"}, "S3_SECRET_ACCESS_KEY_FILE cannot be"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_nonsense_is_refused_in_words(wrong: dict[str, str], complaint: str) -> None:
    assert complaint in settings_say("s.BUCKET", **SITE | wrong)


@pytest.mark.parametrize(
    ("more", "origins"),
    [
        ({}, ["https://films.s3.us-east-1.amazonaws.com"]),
        ({"S3_ENDPOINT_URL": "https://s3.example.org:9000/", "S3_ADDRESSING": "path"}, ["https://s3.example.org:9000"]),
        ({"S3_ENDPOINT_URL": "https://s3.example.org"}, ["https://films.s3.example.org"]),
        ({"S3_SIGNED_SECONDS": "0"}, []),
        ({"MEDIA_STORAGE": "files"}, []),
    ],
)
def test_pages_may_load_pictures_and_films_from_the_bucket_and_nothing_else(
    more: dict[str, str], origins: list[str]
) -> None:
    policy = "s.CONTENT_SECURITY_POLICY['DIRECTIVES'].items()"
    outside = "[name for name, places in " + policy + " if any('://' in str(place) for place in places)]"
    assert settings_say(f"{outside}, s.BUCKET_ORIGINS", **SITE | more) == str(
        (["img-src", "media-src"] if origins else [], origins)
    )
