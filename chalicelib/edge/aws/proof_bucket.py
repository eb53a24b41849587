"""The bucket of photos and signatures: S3, to which couriers upload by forms that we sign.

A client costs a cold start 100 ms and more, and most orders ask for no file. So it is made by the
first call that needs it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.orders.proof import MAX_FILE_BYTES, FoundFile, UploadForm
from chalicelib.errors import Stale, Unavailable

log = logging.getLogger(__name__)

_MISSING = {"404", "NoSuchKey", "NotFound"}
# A copy whose source is not what it was: another upload, or none any more.
_CHANGED = {"412", "PreconditionFailed", *_MISSING}


class S3ProofBucket:
    """Implement services.ports.ProofBucket, over a botocore session. `endpoint` None is AWS."""

    def __init__(self, session: Any, name: str, region: str, endpoint: str | None) -> None:
        self._session = session
        self._name = name
        self._region = region
        self._endpoint = endpoint
        self._made: Any = None
        self._making = threading.Lock()

    def make_upload_form(self, key: str, content_type: str, within: timedelta) -> UploadForm:
        """Make a form that lets one file of a content type be posted under a key, for a while."""
        # S3 itself refuses what is larger or calls itself something else, and every other key.
        made = self._find_client().generate_presigned_post(
            self._name,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[
                {"Content-Type": content_type},
                ["content-length-range", 1, MAX_FILE_BYTES],
            ],
            ExpiresIn=int(within.total_seconds()),
        )
        return UploadForm(made["url"], made["fields"])

    def find_file(self, key: str) -> FoundFile | None:
        """Look for a file; None if there is none. Raises Unavailable."""
        with _sort_failures(_MISSING) as failed:
            found = self._find_client().head_object(Bucket=self._name, Key=key)
        if failed:
            return None
        return FoundFile(
            etag=found["ETag"].strip('"'),
            size_bytes=found["ContentLength"],
            content_type=found.get("ContentType", ""),
            uploaded_at=found["LastModified"],
        )

    def keep_file(self, key: str, etag: str, kept_key: str) -> None:
        """Copy a file that still has this ETag. Again it changes nothing. Raises Stale where it is
        another by now, or gone; Unavailable."""
        with _sort_failures(_CHANGED) as failed:
            self._find_client().copy_object(
                Bucket=self._name,
                Key=kept_key,
                CopySource={"Bucket": self._name, "Key": key},
                CopySourceIfMatch=f'"{etag}"',
            )
        if failed:
            raise Stale

    def make_reading_url(self, key: str, within: timedelta) -> str:
        """Make a URL by which a file may be read for a while."""
        return str(
            self._find_client().generate_presigned_url(
                "get_object",
                Params={"Bucket": self._name, "Key": key},
                ExpiresIn=int(within.total_seconds()),
            )
        )

    def _find_client(self) -> Any:
        with self._making:  # a session makes one client at a time
            if self._made is None:
                self._made = self._session.create_client(
                    "s3",
                    self._region,
                    endpoint_url=self._endpoint,
                    config=Config(
                        connect_timeout=2,
                        read_timeout=5,
                        retries={"total_max_attempts": 3, "mode": "standard"},
                        signature_version="s3v4",
                        # An engine on this machine has no names for buckets.
                        s3={"addressing_style": "path" if self._endpoint else "virtual"},
                        tcp_keepalive=True,
                    ),
                )
            return self._made


@contextmanager
def _sort_failures(expected: set[str]) -> Iterator[list[str]]:
    """Note a failure of one of the expected codes. Raises Unavailable for every other."""
    failed: list[str] = []
    try:
        yield failed
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code not in expected:
            raise _make_unavailable(error) from error
        failed.append(code)
    except BotoCoreError as error:
        raise _make_unavailable(error) from error


def _make_unavailable(error: Exception) -> Unavailable:
    # Neither's text has a key or a signature, and without it nobody could tell missing rights from
    # an outage.
    log.warning("the bucket of proofs: %s", error)
    return Unavailable("Files can't be looked at now; try again.")
