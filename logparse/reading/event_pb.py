"""The protobuf messages of an event file: bytes in, ``Event`` out.

The descriptors are written down here and built once by the protobuf runtime. Generated ``_pb2``
files would tie the package to the protobuf version that made them and need a compiler at build
time; TensorFlow and TensorBoard weigh hundreds of megabytes. The pool is private, so that these
names never clash with the ones that TensorFlow registers in the same process. Field numbers are
those of tensorflow/core/util/event.proto and tensorflow/core/framework/{summary,tensor}.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = ["DecodeError", "Event", "Value"]

# Message -> fields as "number name type"; "*" repeated, "?" member of the message's one oneof.
_MESSAGES: dict[str, str] = {
    "Event": (
        "1 wall_time double, 2 step int64, 3 file_version string?, 4 graph_def bytes?,"
        "5 summary Summary?, 6 log_message LogMessage?, 7 session_log SessionLog?,"
        "8 tagged_run_metadata TaggedRunMetadata?, 9 meta_graph_def bytes?,"
        "10 source_metadata SourceMetadata"
    ),
    "LogMessage": "1 level int32, 2 message string",
    "SessionLog": "1 status int32, 2 checkpoint_path string, 3 msg string",
    "TaggedRunMetadata": "1 tag string, 2 run_metadata bytes",
    "SourceMetadata": "1 writer string",
    "Summary": "1 value Value*",
    "Value": (
        "7 node_name string, 1 tag string, 9 metadata SummaryMetadata, 2 simple_value float?,"
        "3 obsolete_old_style_histogram bytes?, 4 image Image?, 5 histo Histogram?,"
        "6 audio Audio?, 8 tensor Tensor?"
    ),
    "SummaryMetadata": (
        "1 plugin_data PluginData, 2 display_name string, 3 summary_description string,"
        "4 data_class int32"
    ),
    "PluginData": "1 plugin_name string, 2 content bytes",
    "Image": "1 height int32, 2 width int32, 3 colorspace int32, 4 encoded_image_string bytes",
    "Audio": (
        "1 sample_rate float, 2 num_channels int64, 3 length_frames int64,"
        "4 encoded_audio_string bytes, 5 content_type string"
    ),
    "Histogram": (
        "1 min double, 2 max double, 3 num double, 4 sum double, 5 sum_squares double,"
        "6 bucket_limit double*, 7 bucket double*"
    ),
    "Dim": "1 size int64, 2 name string",
    "Shape": "2 dim Dim*, 3 unknown_rank bool",
    "Handle": (
        "1 device string, 2 container string, 3 name string, 4 hash_code uint64,"
        "5 maybe_type_name string, 6 dtypes_and_shapes TypeAndShape*"
    ),
    "TypeAndShape": "1 dtype int32, 2 shape Shape",
    "Variant": "1 type_name string, 2 metadata bytes, 3 tensors Tensor*",
    "Tensor": (
        "1 dtype int32, 2 tensor_shape Shape, 3 version_number int32, 4 tensor_content bytes,"
        "5 float_val float*, 6 double_val double*, 7 int_val int32*, 8 string_val bytes*,"
        "9 scomplex_val float*, 10 int64_val int64*, 11 bool_val bool*, 12 dcomplex_val double*,"
        "13 half_val int32*, 14 resource_handle_val Handle*, 15 variant_val Variant*,"
        "16 uint32_val uint32*, 17 uint64_val uint64*, 18 float8_val bytes"
    ),
}

_PACKAGE = "logparse"
_FIELD = descriptor_pb2.FieldDescriptorProto


def _field(message: Any, text: str) -> None:
    number, name, kind = text.split()
    field = message.field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL)
    if kind.endswith("*"):
        field.label = _FIELD.LABEL_REPEATED
    if kind.endswith("?"):
        field.oneof_index = 0
    kind = kind.rstrip("*?")
    if kind in _MESSAGES:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    else:
        field.type = _FIELD.Type.Value(f"TYPE_{kind.upper()}")


def _build() -> tuple[Any, Any]:
    """The classes of ``Event`` and ``Value``, from the table above."""
    file = descriptor_pb2.FileDescriptorProto(
        name="logparse/event.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if "?" in fields:
            message.oneof_decl.add(name="what")
        for text in fields.split(","):
            _field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    event, value = (pool.FindMessageTypeByName(f"{_PACKAGE}.{x}") for x in ("Event", "Value"))
    return message_factory.GetMessageClass(event), message_factory.GetMessageClass(value)


Event, Value = _build()
"""Message classes; ``Event.FromString(data)`` raises ``DecodeError`` on anything else."""
