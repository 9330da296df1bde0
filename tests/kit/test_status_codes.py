"""Errors of the contract as google.rpc.Status and back."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc.aio import AioRpcError, Metadata
from grpc_status import rpc_status
from salambot.common.v1 import error_reason_pb2

from servers.kit import errors
from servers.kit.errors import SalamError, Violation
from servers.kit.status import from_rpc_error, to_status

CLASSES = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, SalamError)]

CODES = {
    errors.SalamError: grpc.StatusCode.INTERNAL,
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.InternalError: grpc.StatusCode.INTERNAL,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.UpstreamError: grpc.StatusCode.UNAVAILABLE,
    errors.Timeout: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def sent(error: SalamError) -> AioRpcError:
    """The error as a peer's client sees it."""
    status = rpc_status.to_status(to_status(error))
    return AioRpcError(status.code, Metadata(), Metadata(*status.trailing_metadata), details=status.details)


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_survives_the_way(error_class: type[SalamError]) -> None:
    error = error_class("رسالة", violations=[Violation("data.text", "must not be empty")], retry_after=2.25)
    on_the_wire = sent(error)
    assert on_the_wire.code() == CODES[error_class]
    back = from_rpc_error(on_the_wire)
    assert isinstance(back, error_class)
    assert vars(back) == vars(error)
    assert (back.reason, back.detail) == (error.reason, error.detail)


@pytest.mark.parametrize("error_class", CLASSES)
def test_the_reason_is_a_word_of_the_contract(error_class: type[SalamError]) -> None:
    info = error_details_pb2.ErrorInfo()
    assert to_status(error_class("x")).details[0].Unpack(info)
    assert error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{info.reason.upper()}")
    assert info.domain == "salambot"
    assert info.metadata.get("detail", "") == error_class.detail


def test_a_components_own_kind_of_error_is_told_as_what_it_is_a_kind_of() -> None:
    class Taken(errors.Conflict):
        """Somebody was first."""

    assert type(from_rpc_error(sent(Taken("somebody was first")))) is errors.Conflict


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.UpstreamError),
        (grpc.StatusCode.CANCELLED, errors.UpstreamError),
        (grpc.StatusCode.UNKNOWN, errors.UpstreamError),
        (grpc.StatusCode.INTERNAL, errors.UpstreamError),
        (grpc.StatusCode.DATA_LOSS, errors.InternalError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.Timeout),
        (grpc.StatusCode.UNIMPLEMENTED, errors.Unimplemented),
        (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthorized),
    ],
)
def test_what_a_transport_made_up(code: grpc.StatusCode, error_class: type[SalamError]) -> None:
    details = "failed to connect to all addresses; last error: ipv4:10.0.0.7:50051"
    error = from_rpc_error(AioRpcError(code, Metadata(), Metadata(), details=details))
    assert type(error) is error_class
    if error_class is errors.UpstreamError:
        assert "10.0.0.7" not in error.message
