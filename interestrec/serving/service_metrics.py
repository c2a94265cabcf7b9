"""ServiceMetrics: figures of the web service for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Seconds, from an answer that was waiting to one that nobody waits for.
_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class ServiceMetrics:
    """Counts of requests, feedback and processes, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "interestrec_requests", "Requests by path and HTTP status", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "interestrec_request_seconds",
            "Seconds from the head of a request to its answer",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.feedback = Counter(
            "interestrec_feedback",
            "Records received by kind and whether they are new",
            ["kind", "new"],
            registry=self.registry,
        )
        self.in_hand = self._gauge("interestrec_requests_in_hand", "Requests for lists without an answer yet")
        self.restarts = self._gauge("interestrec_process_restarts", "Scoring processes that ended and were replaced")
        self.swap_failures = self._gauge("interestrec_swap_failures", "Decisions that could not be opened")
        self.decision = Gauge("interestrec_decision", "1 for the decision in use", ["digest"], registry=self.registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(name, help_text, registry=self.registry)

    def text(self) -> bytes:
        """Return the figures in the text format of Prometheus."""
        return generate_latest(self.registry)
