"""What Prometheus may read."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from playcast.http.tally import Tally
from runner.jobs.worker import Worker
from runner.retention.pruner import Pruner
from runner.start.cold_start import Starter


class WorkerCollector:
    """Reads the worker's own figures at each scrape."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        yield GaugeMetricFamily("playcast_jobs_running", "Jobs that run now.", value=len(self._worker.running))
        yield GaugeMetricFamily("playcast_slots", "Jobs that may run at the same time.", value=self._worker.slots)
        yield GaugeMetricFamily("playcast_jobs_ended", "Jobs ended since the start.", value=self._worker.ended)


class StarterCollector:
    """Reads at each scrape how jobs start."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter

    def collect(self) -> Iterator[Metric]:
        """A gauge and two counters."""
        starter = self._starter
        yield GaugeMetricFamily(
            "playcast_launcher_warm", "1 if the next job starts warm, by the launcher, else 0.", value=starter.ready
        )
        yield CounterMetricFamily(
            "playcast_jobs_started_warm", "Jobs started by the launcher since the start.", value=starter.warm
        )
        yield CounterMetricFamily(
            "playcast_jobs_started_cold", "Jobs started without the launcher since the start.", value=starter.cold
        )


class PrunerCollector:
    """Reads the pruner's own figures at each scrape."""

    def __init__(self, pruner: Pruner) -> None:
        self._pruner = pruner

    def collect(self) -> Iterator[Metric]:
        """The counters."""
        gone = self._pruner.totals
        yield CounterMetricFamily("playcast_jobs_pruned", "Jobs removed since the start.", value=gone.jobs)
        yield CounterMetricFamily("playcast_logs_pruned", "Logs removed since the start.", value=gone.logs)
        yield CounterMetricFamily("playcast_bytes_pruned", "Bytes that these counted for.", value=gone.size)


class TallyCollector:
    """Reads at each scrape who is connected, and what was refused."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """A gauge, and a counter for each reason."""
        yield GaugeMetricFamily("playcast_connections", "Connections that are open.", value=self._tally.connections)
        refused = CounterMetricFamily("playcast_refused", "What was refused to clients, by reason.", labels=["reason"])
        for reason, count in sorted(self._tally.refused.items()):
            refused.add_metric([reason], count)
        yield refused


def make_registry(worker: Worker | None, starter: Starter, pruner: Pruner, tally: Tally) -> CollectorRegistry:
    """A registry of this app's own, so that two apps in one process do not mix."""
    registry = CollectorRegistry()
    if worker is not None:
        registry.register(WorkerCollector(worker))
        registry.register(StarterCollector(starter))
    registry.register(PrunerCollector(pruner))
    registry.register(TallyCollector(tally))
    ProcessCollector(registry=registry)
    return registry
