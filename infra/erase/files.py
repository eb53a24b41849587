"""Delete the photos and signatures of an order from the bucket."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.orders.proof import list_order_prefixes


class FileEraser:
    """Deletes files of orders. `s3` is a botocore client."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def delete_files(self, order_id: int, *, dry: bool = False) -> int:
        """Delete all files of one order, those that no step has confirmed, too; return how many.
        `dry`: only count. Harmless twice. Raises what botocore raises."""
        keys = [key for prefix in list_order_prefixes(order_id) for key in self._list_keys(prefix)]
        if not dry:
            for key in keys:
                self._s3.delete_object(Bucket=self._bucket, Key=key)
        return len(keys)

    def _list_keys(self, prefix: str) -> list[str]:
        # An order has a few files for each courier who had it: never as many as a page takes.
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]
