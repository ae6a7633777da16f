"""What Prometheus may read."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from runner.worker import Worker


class WorkerCollector:
    """Reads the worker's own figures at each scrape."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        yield GaugeMetricFamily("playcast_jobs_running", "Jobs that run now.", value=len(self._worker.running))
        yield GaugeMetricFamily("playcast_slots", "Jobs that may run at the same time.", value=self._worker.slots)
        yield GaugeMetricFamily("playcast_jobs_ended", "Jobs ended since the start.", value=self._worker.ended)


def make_registry(worker: Worker) -> CollectorRegistry:
    """A registry of this app's own, so that two apps in one process do not mix."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(worker))
    ProcessCollector(registry=registry)
    return registry
