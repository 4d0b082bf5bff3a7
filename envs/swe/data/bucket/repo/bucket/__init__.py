"""Limits on how often something may be done."""

from bucket.limiter import Limiter
from bucket.retry import delays, retry
from bucket.tokens import TokenBucket

__all__ = ["Limiter", "TokenBucket", "delays", "retry"]
