"""Every message type of the contract as JSON and back, and what is refused on the way in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salambot.common.v1 import envelope_pb2, event_pb2
from salambot.nlu.v1 import nlu_service_pb2
from salambot.orchestrator.v1 import orchestrator_pb2, orchestrator_service_pb2
from salambot.rag.v1 import rag_pb2

from gateway.transcoding.codec import DEEPEST, Codec, MessageCodec
from gateway.transcoding.contract import load_contract
from gateway.transcoding.fields import NoJsonForm
from servers.kit.errors import InvalidInput
from tests.gateway.messages import messages

codec = cache(Codec)


def message_types() -> list[Descriptor]:
    """Every message type of the contract's packages that an RPC can reach, and every other one of the same files."""
    files = {file for service in load_contract().services for file in _with_imports(service.file)}
    found = {item.full_name: item for file in files for item in file.message_types_by_name.values()}
    return [found[name] for name in sorted(found)]


def _with_imports(file: FileDescriptor) -> Iterator[FileDescriptor]:
    yield file
    for imported in file.dependencies:
        if imported.package.startswith("salambot."):
            yield from _with_imports(imported)


def of(descriptor: Descriptor) -> MessageCodec:
    """The codec of a type, compiled once for all tests."""
    return codec().of(descriptor)


@pytest.mark.parametrize("descriptor", message_types(), ids=lambda item: item.full_name)
@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_message_type_survives_the_round_trip(descriptor: Descriptor, data: st.DataObject) -> None:
    message = data.draw(messages(descriptor))
    subject = of(descriptor)
    assert subject.decode(subject.encode(message)) == message


@pytest.mark.parametrize("descriptor", message_types(), ids=lambda item: item.full_name)
def test_no_field_of_a_full_message_is_dropped(descriptor: Descriptor) -> None:
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        _set_one(message, field)
    written = of(descriptor).write(message)
    names = {
        field.name for field in descriptor.fields if field.containing_oneof is None or message.HasField(field.name)
    }
    if "envelope" in names:
        names = names - {"envelope"} | {field.name for field in envelope_pb2.Envelope.DESCRIPTOR.fields} - {"timestamp"}
    assert set(written) == names


def _set_one(message: object, field: FieldDescriptor) -> None:
    target = getattr(message, field.name)
    if field.is_repeated:
        return  # lists and maps always appear
    if field.message_type is not None:
        target.SetInParent()
    else:
        setattr(message, field.name, target)


def test_a_reply_in_the_form_of_the_contract() -> None:
    reply = nlu_service_pb2.AnalyzeResponse()
    reply.envelope.channel = envelope_pb2.CHANNEL_FACEBOOK
    reply.envelope.timestamp.seconds = 1755165600
    reply.envelope.timestamp.nanos = 80_000_000
    reply.data.language = envelope_pb2.LANGUAGE_DARIJA_ARABIZI

    written = of(reply.DESCRIPTOR).write(reply)

    assert list(written)[-1] == "data"
    assert (written["channel"], written["timestamp"]) == ("facebook", "2025-08-14T10:00:00.080Z")
    assert written["data"]["language"] == "darija_arabizi"
    assert (written["data"]["degraded"], written["data"]["entities"]) == (False, [])


def test_unset_messages_and_optionals_are_left_out_and_set_ones_are_not() -> None:
    given_language = nlu_service_pb2.AnalyzeRequest()
    given_language.data.lang = envelope_pb2.LANGUAGE_UNSPECIFIED
    subject = of(given_language.DESCRIPTOR)
    assert subject.write(nlu_service_pb2.AnalyzeRequest()) == {}
    assert subject.write(given_language) == {"data": {"text": "", "lang": "unspecified"}}


def test_numbers_are_json_numbers() -> None:
    attachment = orchestrator_pb2.Attachment(size_bytes=2**53 + 1)
    assert of(attachment.DESCRIPTOR).encode(attachment).endswith(b'"size_bytes":9007199254740993}')


def test_a_number_of_an_enum_that_a_newer_peer_sends_is_told_as_it_is() -> None:
    reply = nlu_service_pb2.AnalyzeResponse()
    reply.data.language = 99  # type: ignore[assignment]
    assert of(reply.DESCRIPTOR).write(reply)["data"]["language"] == 99


def test_text_is_normalised_on_the_way_in() -> None:
    request = of(orchestrator_service_pb2.SendMessageRequest.DESCRIPTOR).decode(
        '{"data":{"user_text":"e\u0301"}}'.encode()
    )
    assert request.data.user_text == "\u00e9"


def test_null_is_left_out_but_must_be_a_field() -> None:
    subject = of(orchestrator_pb2.MessageInput.DESCRIPTOR)
    assert subject.decode(b'{"user_text":null,"attachments":null}') == orchestrator_pb2.MessageInput()
    with pytest.raises(InvalidInput, match="nothing is not a field here"):
        subject.decode(b'{"nothing":null}')


def test_whole_numbers_may_be_written_with_a_fraction_of_zero() -> None:
    assert of(orchestrator_pb2.Attachment.DESCRIPTOR).decode(b'{"size_bytes":3.0}').size_bytes == 3


@pytest.mark.parametrize(
    "spelled", ["2025-08-14T11:00:00.08+01:00", "2025-08-14t10:00:00.080000z", "2025-08-14T10:00:00.080000000Z"]
)
def test_times_with_any_offset_are_the_same_moment(spelled: str) -> None:
    subject = of(orchestrator_service_pb2.SendMessageRequest.DESCRIPTOR)
    written = subject.write(subject.read({"timestamp": spelled}))
    assert written["timestamp"] == "2025-08-14T10:00:00.080Z"


REFUSED = [
    (orchestrator_service_pb2.SendMessageRequest, '{"data":{"user_text":5}}', "data.user_text", "must be a string"),
    (orchestrator_service_pb2.SendMessageRequest, '{"data":{"user_text":"\\udc00"}}', "data.user_text", "surrogate"),
    (orchestrator_service_pb2.SendMessageRequest, '{"data":{"user_text":["a"]}}', "data.user_text", "not a list"),
    (orchestrator_service_pb2.SendMessageRequest, '{"channel":"Facebook"}', "channel", "facebook, whatsapp"),
    (orchestrator_service_pb2.SendMessageRequest, '{"channel":1}', "channel", "must be a word"),
    (orchestrator_service_pb2.SendMessageRequest, '{"envelope":{}}', "envelope", "is not a field here"),
    (orchestrator_service_pb2.SendMessageRequest, '{"timestamp":"2025-02-30T00:00:00Z"}', "timestamp", "RFC 3339"),
    (orchestrator_service_pb2.SendMessageRequest, '{"timestamp":"0001-01-01T00:00:00+01:00"}', "timestamp", "RFC 3339"),
    (orchestrator_service_pb2.SendMessageRequest, '{"timestamp":1}', "timestamp", "must be a time"),
    (orchestrator_pb2.MessageInput, '{"attachments":{}}', "attachments", "must be a list"),
    (orchestrator_pb2.MessageInput, '{"attachments":[{},null]}', "attachments[1]", "not null"),
    (orchestrator_pb2.MessageInput, '{"attachments":[{"size_bytes":true}]}', "attachments[0].size_bytes", "boolean"),
    (orchestrator_pb2.Attachment, '{"size_bytes":9223372036854775808}', "size_bytes", "between"),
    (orchestrator_pb2.Attachment, '{"size_bytes":1e30}', "size_bytes", "between"),
    (orchestrator_pb2.Conversation, '{"turn_count":2147483648}', "turn_count", "between"),
    (orchestrator_pb2.Reply, '{"confidence":NaN}', "confidence", "finite"),
    (orchestrator_pb2.Reply, '{"confidence":1e999}', "confidence", "finite"),
    (orchestrator_pb2.Reply, '{"confidence":"0.5"}', "confidence", "must be a number"),
    (orchestrator_pb2.Reply, '{"filtered":0}', "filtered", "true or false"),
    (orchestrator_service_pb2.MessageEvent, '{"delta":"","reply":{}}', "reply", "together with `delta`"),
    (rag_pb2.RetrieveInput, '{"filters":{"category":5}}', "filters.category", "must be a string"),
    (rag_pb2.RetrieveInput, '{"filters":{"a b":null}}', 'filters["a b"]', "not null"),
    (rag_pb2.RetrieveOutput, '{"passages":["a",1]}', "passages[1]", "must be a string"),
    (rag_pb2.RetrieveOutput, '{"languages":["fr","de"]}', "languages[1]", "must be one of"),
    (event_pb2.Event, '{"data":{"a":[1,{"b":"\\ud800"}]}}', "data.a[1].b", "surrogate"),
    (event_pb2.Event, '{"data":[]}', "data", "must be an object"),
    (event_pb2.Event, '{"data":{"a":[1,{"b":"\\u0000"}]}}', "data.a[1].b", "U+0000"),
    (event_pb2.Event, '{"data":{"\\u0000":1}}', 'data["\\u0000"]', "U+0000"),
    (rag_pb2.RetrieveInput, '{"filters":{"a":"\\u0000"}}', "filters.a", "U+0000"),
    (rag_pb2.RetrieveOutput, '{"passages":["a","\\u0000"]}', "passages[1]", "U+0000"),
]


@pytest.mark.parametrize(("kind", "text", "path", "words"), REFUSED, ids=[item[1] for item in REFUSED])
def test_what_does_not_fit_is_refused_with_its_path(kind: type, text: str, path: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        of(kind.DESCRIPTOR).decode(text.encode())  # type: ignore[attr-defined]
    (violation,) = refused.value.violations
    assert violation.field == path
    assert words in violation.description
    assert refused.value.message.startswith(path)


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists, max_leaves=5))
@settings(max_examples=100, deadline=None)
def test_nothing_but_a_refusal_comes_of_any_json(value: object) -> None:
    for kind in (orchestrator_service_pb2.SendMessageRequest, event_pb2.Event, rag_pb2.Document):
        for field in kind.DESCRIPTOR.fields_by_name:
            with contextlib.suppress(InvalidInput):
                of(kind.DESCRIPTOR).read({field: value}).SerializeToString()


def test_free_json_nests_as_deep_as_protobuf_can_carry() -> None:
    subject = of(event_pb2.Event.DESCRIPTOR)

    def nested(levels: int) -> bytes:
        return b'{"data":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"

    deepest = subject.decode(nested(DEEPEST - 1))
    assert event_pb2.Event.FromString(deepest.SerializeToString()) == deepest
    with pytest.raises(InvalidInput, match="nested too deep") as refused:
        subject.decode(nested(DEEPEST))
    assert refused.value.violations[0].field.startswith("data.a.a.a")


def compiled(*fields: descriptor_pb2.FieldDescriptorProto, entries: tuple[str, ...] = ()) -> Descriptor:
    """A message type with kinds of fields that the contract does not use yet."""
    kind = descriptor_pb2.DescriptorProto(name="Kind", field=fields)
    for entry in entries:
        nested = kind.nested_type.add(name=entry)
        nested.options.map_entry = True
        key = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{entry.removesuffix('Entry').upper()}")
        nested.field.add(name="key", number=1, type=key, label=1)
        nested.field.add(name="value", number=2, type=11, type_name=".sample.Kind", label=1)
    file = descriptor_pb2.FileDescriptorProto(
        name="sample.proto", package="sample", syntax="proto3", message_type=[kind]
    )
    file.dependency.extend(
        ["google/protobuf/struct.proto", "google/protobuf/any.proto", "google/protobuf/duration.proto"]
    )
    pool = descriptor_pool.DescriptorPool()
    for needed in (*file.dependency, ""):
        if needed:
            pool.AddSerializedFile(descriptor_pool.Default().FindFileByName(needed).serialized_pb)
    pool.Add(file)
    return pool.FindMessageTypeByName("sample.Kind")


def field(
    name: str, number: int, kind: int, type_name: str = "", label: int = 1
) -> descriptor_pb2.FieldDescriptorProto:
    made = descriptor_pb2.FieldDescriptorProto(name=name, number=number, type_name=type_name or None)
    made.type, made.label = kind, label  # type: ignore[assignment]
    return made


def test_kinds_of_fields_that_the_contract_does_not_use_yet() -> None:
    descriptor = compiled(
        field("from", 1, 9),
        field("ratio", 2, 2),
        field("raw", 3, 12),
        field("free", 4, 11, ".google.protobuf.Value"),
        field("wait", 5, 11, ".google.protobuf.Duration"),
        field("again", 6, 11, ".sample.Kind"),
        field("int32", 7, 11, ".sample.Kind.Int32Entry", label=3),
        field("bool", 8, 11, ".sample.Kind.BoolEntry", label=3),
        entries=("Int32Entry", "BoolEntry"),
    )
    given_json = {
        "from": "a",
        "ratio": 0.1,
        "raw": "3q0=",
        "free": None,
        "wait": "-1.500s",
        "again": {"from": "", "ratio": 0.0, "raw": "", "int32": {}, "bool": {}},
        "int32": {"-5": {"from": "b", "ratio": 0.0, "raw": "", "int32": {}, "bool": {}}},
        "bool": {"true": {"from": "", "ratio": 1e-7, "raw": "", "int32": {}, "bool": {}}},
    }
    subject = Codec().of(descriptor)

    message = subject.read(given_json)

    assert subject.write(message) == given_json
    for wrong, path in (({"int32": {"x": {}}}, "int32.x"), ({"bool": {"yes": {}}}, "bool.yes"), ({"raw": "%"}, "raw")):
        with pytest.raises(InvalidInput) as refused:
            subject.read(wrong)
        assert refused.value.violations[0].field == path


def test_a_type_without_a_json_form_stops_the_start() -> None:
    with pytest.raises(NoJsonForm, match=r"google\.protobuf\.Any"):
        Codec().of(compiled(field("any", 1, 11, ".google.protobuf.Any")))


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_32_bit_float_is_written_short_and_reads_back_the_same(value: float) -> None:
    subject = _ratio_codec()
    message = subject.message_class(ratio=value)
    assert subject.decode(subject.encode(message)) == message


@cache
def _ratio_codec() -> MessageCodec:
    return Codec().of(compiled(field("ratio", 1, 2)))


def test_struct_numbers_that_are_whole_have_no_fraction() -> None:
    value = struct_pb2.Struct()
    value.update({"whole": 3, "half": 0.5, "large": 1e300, "minus": -0.0})
    assert set(of(struct_pb2.Struct.DESCRIPTOR).encode(value)[1:-1].split(b",")) == {
        b'"whole":3',
        b'"half":0.5',
        b'"large":1e+300',
        b'"minus":-0.0',
    }
