"""Errors of the contract as `google.rpc.Status` and back: the gRPC half of the error table."""

from __future__ import annotations

import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status

from servers.kit import errors
from servers.kit.errors import SalamError, Violation

DOMAIN = "salambot"

log = structlog.get_logger(__name__)

_CODES: dict[type[SalamError], int] = {
    errors.InvalidInput: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.Conflict: code_pb2.ALREADY_EXISTS,
    errors.Unauthorized: code_pb2.UNAUTHENTICATED,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    errors.RateLimited: code_pb2.RESOURCE_EXHAUSTED,
    errors.InternalError: code_pb2.INTERNAL,
    errors.Unimplemented: code_pb2.UNIMPLEMENTED,
    errors.UpstreamError: code_pb2.UNAVAILABLE,
    errors.Timeout: code_pb2.DEADLINE_EXCEEDED,
}
_CLASSES = {code: cls for cls, code in _CODES.items()}


def to_status(error: SalamError) -> status_pb2.Status:
    """The error with its details: ErrorInfo always, BadRequest for violations, RetryInfo where it says when."""
    code = next((_CODES[cls] for cls in type(error).__mro__ if cls in _CODES), code_pb2.INTERNAL)
    status = status_pb2.Status(code=code, message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    if error.detail:
        info.metadata["detail"] = error.detail
    status.details.add().Pack(info)
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        status.details.add().Pack(bad)
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def from_rpc_error(error: AioRpcError) -> SalamError:
    """The error a peer sent, whole; what a transport made up (a refused connection) by its code alone."""
    code = error.code()
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:  # the peer's word arrived together with the transport's own, for instance on a deadline
        status = None
    if status is None:
        log.warning("a call failed in its transport", code=code.name, details=error.details())
        if code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.UNKNOWN, StatusCode.INTERNAL):
            return errors.UpstreamError("a component is out of reach; try again later")
        return _CLASSES.get(code.value[0], errors.InternalError)(error.details() or code.name.lower())
    violations: list[Violation] = []
    retry_after = None
    for detail in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            violations = [Violation(item.field, item.description) for item in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    cls = _CLASSES.get(status.code, errors.InternalError)
    return cls(status.message, violations=violations, retry_after=retry_after)
