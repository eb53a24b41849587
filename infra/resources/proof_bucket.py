"""The bucket of photos and signatures: its rules, and how it is made on an engine.

The template has the same bucket from the same rules (infra/template/proof.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.domain.orders.proof import KEPT, UPLOADS

# Days until a file is deleted, by what its key begins with. An upload that no step has confirmed is
# nothing; a confirmed one is there for whoever disputes a delivery.
EXPIRY_DAYS: Mapping[str, int] = {UPLOADS: 1, KEPT: 45}
CORS_METHODS = ("GET", "HEAD", "POST")
CORS_MAX_AGE_S = 3600


def create_bucket(s3: Any, name: str, region: str, origins: Sequence[str]) -> None:
    """Create a bucket with its rules, or put them on one that is there. Repeating it changes
    nothing. Raises what botocore raises."""
    try:
        s3.create_bucket(Bucket=name, **_make_place(region))
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [_make_cors_rule(origins)]})
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": prefix,
                    "Status": "Enabled",
                    "Filter": {"Prefix": f"{prefix}/"},
                    "Expiration": {"Days": days},
                }
                for prefix, days in EXPIRY_DAYS.items()
            ]
        },
    )


def _make_place(region: str) -> dict[str, Any]:
    """Say where the bucket is to be: S3 takes every region's name here but its first one's."""
    if region == "us-east-1":
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _make_cors_rule(origins: Sequence[str]) -> dict[str, Any]:
    return {
        "AllowedOrigins": list(origins),
        "AllowedMethods": list(CORS_METHODS),
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": CORS_MAX_AGE_S,
    }
