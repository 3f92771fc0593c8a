"""Rate limits of the service: token buckets in the memory of each worker process."""

from ecart_server.rate_limits.bucket import Rate, parse_rate
from ecart_server.rate_limits.gate import Limits, RateGate

__all__ = ["Limits", "Rate", "RateGate", "parse_rate"]
