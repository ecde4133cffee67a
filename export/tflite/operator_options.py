"""Reads the options of operators in a TFLite file: of builtin operators and of the engine's own."""

from flatbuffers import flexbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

__all__ = ["list_names", "read_builtin_options", "read_engine_options"]


def list_names(enumeration: type) -> dict[int, str]:
    """Lists the names in an enumeration of the file's schema, by their numbers."""
    return {code: name for name, code in vars(enumeration).items() if not name.startswith("_")}


OPTIONS = list_names(schema.BuiltinOptions)
PADDINGS = list_names(schema.Padding)
ACTIVATIONS = list_names(schema.ActivationFunctionType)


def read_builtin_options(operator: schema.Operator) -> dict[str, object]:
    """Reads those options of a builtin operator that `export.tflite.file.Operator` has."""
    kind = getattr(schema, OPTIONS.get(operator.BuiltinOptionsType(), ""), None)
    table = operator.BuiltinOptions()
    if kind is None or table is None:
        return {}
    options = kind()
    options.Init(table.Bytes, table.Pos)

    def read_option(name):
        return getattr(options, name)() if hasattr(options, name) else None

    found = {
        "padding": PADDINGS.get(read_option("Padding")),
        "strides": (read_option("StrideH"), read_option("StrideW")),
        "dilation": (read_option("DilationHFactor"), read_option("DilationWFactor")),
        "window": (read_option("FilterHeight"), read_option("FilterWidth")),
        "depth_multiplier": read_option("DepthMultiplier"),
        "activation": ACTIVATIONS.get(read_option("FusedActivationFunction")),
    }
    return {name: value for name, value in found.items() if value not in (None, (None, None))}


def read_engine_options(name: str, encoded: bytes) -> dict[str, object]:
    """Reads the options of an operator of the engine, by the names that builtin operators use.

    Args:
        name: of the operator; others than those of the engine that have options have none here.
        encoded: its options, as they stand in the file.

    Raises:
        ValueError: they are not numbers, or claim to be longer than they are. What the readers of
            flexbuffers raise on others that are damaged is as they will.
        KeyError: one is missing or unknown.
    """
    translate = {"LceBconv2d": _translate_convolution, "LceBMaxPool2d": _translate_pool}.get(name)
    if translate is None:
        return {}
    options = _read_entries(encoded)
    if not all(isinstance(value, int) for value in options.values()):
        raise ValueError(f"the options of {name} are not numbers")
    common = {
        "padding": PADDINGS[options["padding"]],
        "strides": (options["stride_height"], options["stride_width"]),
    }
    return common | translate(options)


def _read_entries(encoded: bytes) -> dict[str, object]:
    """The options that are numbers or texts."""
    root = flexbuffers.GetRoot(encoded)
    if not root.IsMap:
        return {}
    entries = root.AsMap
    if len(entries) > len(encoded):
        raise ValueError("options claim to be longer than they are")
    keys, values = entries.Keys, entries.Values
    # Numbers and texts alone: vectors within vectors could be endless.
    return {
        keys[i].AsKeyBytes.decode(errors="replace"): value.Value
        for i in range(len(keys))
        if (value := values[i]).IsNumeric or value.IsBool or value.IsString
    }


def _translate_convolution(options: dict[str, int]) -> dict[str, object]:
    return {
        "dilation": (options["dilation_height_factor"], options["dilation_width_factor"]),
        "activation": ACTIVATIONS[options["fused_activation_function"]],
        "channels_in": options["channels_in"],
        "pad_values": options["pad_values"],
    }


def _translate_pool(options: dict[str, int]) -> dict[str, object]:
    return {"window": (options["filter_height"], options["filter_width"])}
