"""The bucket of photos and signatures: nobody's to read but by URLs that a function signs.

It has no name of ours, unlike the tables: names of buckets are the world's, and a bucket that an
earlier stack of the stage has left need not be taken over. What is in it ends by itself.
"""

from __future__ import annotations

from infra.resources.proof_bucket import CORS_MAX_AGE_S, CORS_METHODS, EXPIRY_DAYS
from infra.template.intrinsics import Value, att, ref, sub, when

BUCKET = "ProofBucket"
BUCKET_POLICY = "ProofBucketPolicy"


def make_resources() -> Value:
    """Return the bucket, kept when the stack goes (but not when its creation is rolled back), and
    its policy."""
    kept = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    return {
        BUCKET: {"Type": "AWS::S3::Bucket", **kept, "Properties": _make_properties()},
        BUCKET_POLICY: {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": ref(BUCKET), "PolicyDocument": _make_policy()},
        },
    }


def make_outputs() -> Value:
    """Return the bucket's name: whoever erases somebody needs it."""
    return {"ProofBucket": {"Description": "Photos and signatures.", "Value": ref(BUCKET)}}


def _make_properties() -> Value:
    algorithm = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [algorithm]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "CorsConfiguration": {"CorsRules": [_make_cors_rule()]},
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": prefix,
                    "Status": "Enabled",
                    "Prefix": f"{prefix}/",
                    "ExpirationInDays": days,
                }
                for prefix, days in EXPIRY_DAYS.items()
            ]
        },
    }


def _make_cors_rule() -> Value:
    """Return the rule by which the pages that may call the API may upload, too."""
    origins = when("NamesOrigins", {"Fn::Split": [",", ref("CorsOrigins")]}, ["*"])
    return {
        "AllowedOrigins": origins,
        "AllowedMethods": list(CORS_METHODS),
        "AllowedHeaders": ["*"],
        "ExposedHeaders": ["ETag"],
        "MaxAge": CORS_MAX_AGE_S,
    }


def _make_policy() -> Value:
    """Return the policy that refuses whatever does not come over TLS. It allows nothing."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OverTlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [att(BUCKET, "Arn"), sub(f"${{{BUCKET}.Arn}}/*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
