"""Builds TFLite files that have builtin operators as well."""

from larq_compute_engine.mlir.python import tflite_schema as schema

from export.proof.file_builder import FileBuilder


class BuiltinBuilder(FileBuilder):
    """A `FileBuilder` that adds TensorFlow Lite's own operators too."""

    def add_builtin(
        self, name: str, inputs: list[int], output: int, options: object | None = None
    ) -> None:
        """Adds a builtin operator.

        Args:
            name: as the schema calls it, such as "ADD".
            inputs: its tensors.
            output: its tensor.
            options: an object of the schema, such as `AddOptionsT`.
        """
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        operator = self._add(code, inputs, output)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
