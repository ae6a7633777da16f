"""Enums of the rooms below, made known to the schema under their own names."""

import strawberry

from models import FailureReason, HostTaskStatus, JobStatus, ServerAuthKind
from runner.errors import ErrorCode
from runner.viewer import Role

strawberry.enum(JobStatus, name="JobStatus")
strawberry.enum(FailureReason, name="JobFailureReason")
strawberry.enum(HostTaskStatus, name="HostTaskStatus")
strawberry.enum(ServerAuthKind, name="ServerAuthKind")
strawberry.enum(ErrorCode, name="UserErrorCode")
strawberry.enum(Role, name="Role")

__all__ = ["ErrorCode", "FailureReason", "HostTaskStatus", "JobStatus", "Role", "ServerAuthKind"]
