"""Jobs and a cache behind gRPC that answer as a test tells them, and note what they were asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Literal

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status

from scic import errors
from scic.gateway.v1 import (
    cache_pb2,
    cache_service_pb2,
    cache_service_pb2_grpc,
    context_service_pb2,
    context_service_pb2_grpc,
    job_service_pb2_grpc,
)
from scic.gateway.v1 import job_service_pb2 as pb

_LONG = 30.0
"""Seconds; far beyond what any test waits for, and still an end."""

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def moment(seconds: float) -> Timestamp:
    """So many seconds after noon."""
    timestamp = Timestamp()
    timestamp.FromDatetime(NOON + timedelta(seconds=seconds))
    return timestamp


def job(name: str = "a" * 32, state: str = "RUNNING", **fields: Any) -> pb.Job:
    """A job of three contexts, submitted at noon."""
    defaults = {
        "request_id": "night-1",
        "kind": pb.JOB_KIND_CONTEXTS,
        "priority": 3,
        "attempt_count": 1,
        "max_attempts": 3,
        "item_count": 3,
        "create_time": moment(0),
        "key_id": "tests",
    }
    return pb.Job(job_id=name, state=pb.JobState.Value(f"JOB_STATE_{state}"), **{**defaults, **fields})


def dead(name: str = "d" * 32, reason: errors.Reason = errors.JOB_ABANDONED) -> pb.Job:
    """A job whose tries are used up."""
    error = errors.to_status(reason.error("every attempt ended with its worker"))
    return job(name, "DEAD", attempt_count=3, done_count=1, end_time=moment(90), error=error)


@dataclass
class Server(
    job_service_pb2_grpc.JobServiceServicer,
    cache_service_pb2_grpc.CacheServiceServicer,
    context_service_pb2_grpc.ContextServiceServicer,
):
    """Whatever is in `failures` is raised first, one a call; None lets a call through, "hang" never answers it."""

    jobs: list[pb.Job] = field(default_factory=list)
    results: list[pb.JobResult] = field(default_factory=list)
    streams: list[list[pb.WatchJobResponse | errors.ScicError]] = field(default_factory=list)
    """What each WatchJob streams; an error ends it. Where there is none left, nothing comes until the server
    stops."""
    stats: cache_service_pb2.GetCacheStatsResponse = field(default_factory=cache_service_pb2.GetCacheStatsResponse)
    failures: list[errors.ScicError | Literal["hang"] | None] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    """Requests that were made before."""
    not_replayable: set[str] = field(default_factory=set)
    seen: list[Any] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)
    asked: Event = field(default_factory=Event)
    """Somebody called."""
    hanging: Event = field(default_factory=Event)
    """Somebody waits for an answer that will not come."""
    address: str = ""

    def _enter(self, request: Any, context: grpc.ServicerContext) -> None:
        self.seen.append(request)
        self.asked.set()
        if self.failures and (failure := self.failures.pop(0)):
            if failure == "hang":
                self._wait(context)
            else:
                _abort(context, failure)

    def _wait(self, context: grpc.ServicerContext) -> None:
        self.hanging.set()
        self.stopped.wait(_LONG)
        _abort(context, errors.INTERNAL.error("nothing more was expected"))

    def _job(self, job_id: str, context: grpc.ServicerContext) -> pb.Job:
        for found in self.jobs:
            if found.job_id == job_id:
                return found
        _abort(context, errors.JOB_NOT_FOUND.error("there is no such job"))
        raise AssertionError

    def SubmitJob(self, request: pb.SubmitJobRequest, context: grpc.ServicerContext) -> pb.SubmitJobResponse:
        self._enter(request, context)
        count = len(request.contexts.requests) or len(request.documents.documents)
        kind = pb.JOB_KIND_CONTEXTS if request.HasField("contexts") else pb.JOB_KIND_DOCUMENTS
        number = sum(isinstance(one, pb.SubmitJobRequest) for one in self.seen)
        made = job(f"job{number}", "QUEUED", request_id=request.request_id, kind=kind, item_count=count)
        return pb.SubmitJobResponse(job=made, created=request.request_id not in self.known)

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        self._enter(request, context)
        return pb.GetJobResponse(job=self._job(request.job_id, context))

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        self._enter(request, context)
        if not self.streams:
            self._wait(context)
        for event in self.streams.pop(0):
            if isinstance(event, errors.ScicError):
                _abort(context, event)
            else:
                yield event
                if event.position == "hang":
                    self._wait(context)

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        self._enter(request, context)
        wanted = [one for one in self.jobs if request.state in {pb.JOB_STATE_UNSPECIFIED, one.state}]
        start, size = int(request.page_token or 0), request.page_size or 2
        following = str(start + size) if start + size < len(wanted) else ""
        return pb.ListJobsResponse(jobs=wanted[start : start + size], next_page_token=following)

    def ListJobResults(
        self, request: pb.ListJobResultsRequest, context: grpc.ServicerContext
    ) -> pb.ListJobResultsResponse:
        self._enter(request, context)
        start, size = int(request.page_token or 0), request.page_size or 2
        following = str(start + size) if start + size < len(self.results) else ""
        return pb.ListJobResultsResponse(results=self.results[start : start + size], next_page_token=following)

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.CancelJobResponse:
        self._enter(request, context)
        found = self._job(request.job_id, context)
        return pb.CancelJobResponse(job=job(found.job_id, "CANCELLED", done_count=1, end_time=moment(30)))

    def ReplayJob(self, request: pb.ReplayJobRequest, context: grpc.ServicerContext) -> pb.ReplayJobResponse:
        self._enter(request, context)
        found = self._job(request.job_id, context)
        if found.job_id in self.not_replayable:
            _abort(context, errors.JOB_NOT_REPLAYABLE.error("what it was to do was erased"))
        return pb.ReplayJobResponse(job=job(found.job_id, "QUEUED", attempt_count=0, done_count=found.done_count))

    def GetCacheStats(
        self, request: cache_service_pb2.GetCacheStatsRequest, context: grpc.ServicerContext
    ) -> cache_service_pb2.GetCacheStatsResponse:
        self._enter(request, context)
        return self.stats

    def FlushCache(
        self, request: cache_service_pb2.FlushCacheRequest, context: grpc.ServicerContext
    ) -> cache_service_pb2.FlushCacheResponse:
        self._enter(request, context)
        return cache_service_pb2.FlushCacheResponse(entry_count=self.stats.entry_count)

    def BuildContext(
        self, request: context_service_pb2.BuildContextRequest, context: grpc.ServicerContext
    ) -> context_service_pb2.BuildContextResponse:
        self._enter(request, context)
        report = cache_pb2.CacheReport(tier=cache_pb2.CACHE_TIER_EXACT)
        report.age.FromSeconds(12)
        return context_service_pb2.BuildContextResponse(
            request_id="r-1", cache=context_service_pb2.CACHE_STATUS_HIT, cache_report=report
        )

    def PlanContext(
        self, request: context_service_pb2.PlanContextRequest, context: grpc.ServicerContext
    ) -> context_service_pb2.PlanContextResponse:
        self._enter(request, context)
        return context_service_pb2.PlanContextResponse()

    def CompressText(
        self, request: context_service_pb2.CompressTextRequest, context: grpc.ServicerContext
    ) -> context_service_pb2.CompressTextResponse:
        raise NotImplementedError


def event(position: str, state: str = "RUNNING", **fields: Any) -> pb.WatchJobResponse:
    """Something that happened to the job."""
    return pb.WatchJobResponse(position=position, job=job(state=state, **fields))


@contextmanager
def served() -> Iterator[Server]:
    """A server on a free port, in threads: commands have a loop of their own."""
    servicer = Server()
    server = grpc.server(ThreadPoolExecutor(8), options=(("grpc.max_receive_message_length", 16 << 20),))
    job_service_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)
    cache_service_pb2_grpc.add_CacheServiceServicer_to_server(servicer, server)
    context_service_pb2_grpc.add_ContextServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield servicer
    finally:
        servicer.stopped.set()
        server.stop(0).wait()


def _abort(context: grpc.ServicerContext, error: errors.ScicError) -> None:
    context.abort_with_status(rpc_status.to_status(errors.to_status(error)))
