"""The S3 server, for tests of where files are kept."""

from tests.s3 import bucket, s3_server

__all__ = ["bucket", "s3_server"]
