"""How long, how many and how large: every number by which a predictor decides, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServingPolicy:
    """Seconds, bytes and counts. A test gives its own numbers in place of waiting."""

    #: The deadline of one request. A member still busy with one call after so long is hung, and is replaced.
    time_limit_s: float = 30.0
    load_time_limit_s: float = 600.0
    max_body_bytes: int = 64 * 2**20
    #: Bytes of all bodies together that are being read in pieces (small bodies come in one piece and are not counted).
    max_pending_body_bytes: int = 512 * 2**20
    #: Of all images of one request that come as files: what they decode to is bounded, too.
    max_pixels: int = 32 * 2**20
    #: Requests with files that are decoded at a time.
    n_decoders: int = 2
    #: Queries that may wait for one member. Beyond that it is not asked; where nobody can be asked, the answer is 503.
    max_queued: int = 1024
    #: Queries that go to a worker in one call.
    max_batch: int = 64
    #: What a client that was turned away is told to wait.
    retry_after_s: int = 1
    first_restart_delay_s: float = 0.5
    max_restart_delay_s: float = 30.0
    #: A member that lived so long is restarted at once when it dies.
    stable_s: float = 60.0
    #: What a worker gets to end in good order.
    stop_grace_s: float = 1.0

    def batch_limit(self, query_s: float) -> int:
        """How many queries to send at once to a member that lately took `query_s` for each.

        A slow template gets smaller batches, so that one batch takes a fraction of the deadline; a fast one gets all
        that waits, up to `max_batch`.
        """
        if query_s * self.max_batch <= self.time_limit_s / 4:
            return self.max_batch
        return max(1, int(self.time_limit_s / 4 / query_s))

    def restart_delay_s(self, n_failures: int) -> float:
        """How long to wait before starting a member that failed `n_failures` times in a row. The first is free."""
        if n_failures <= 1:
            return 0.0
        return float(min(self.max_restart_delay_s, self.first_restart_delay_s * 2.0 ** min(n_failures - 2, 60)))
