"""Enums of the rooms below, made known to the schema under their own names."""

import strawberry

from models import FailureReason, HostTaskStatus, JobStatus, ServerAuthKind
from runner.errors import ErrorCode
from runner.viewer import Role

strawberry.enum(JobStatus, name="JobStatus", description="Where a job stands.")
strawberry.enum(FailureReason, name="JobFailureReason", description="Why a job ended as ERROR.")
strawberry.enum(HostTaskStatus, name="HostTaskStatus", description="How a task ended on a host.")
strawberry.enum(ServerAuthKind, name="ServerAuthKind", description="How Playcast logs in to a server.")
strawberry.enum(ErrorCode, name="UserErrorCode", description="Stable codes of expected failures.")
strawberry.enum(Role, name="Role", description="What a viewer may do.")

__all__ = ["ErrorCode", "FailureReason", "HostTaskStatus", "JobStatus", "Role", "ServerAuthKind"]
