"""The subcommands of `recu`, one file each: its name, its options and what it does.

Each has `NAME`, `HELP`, `DESCRIPTION`, `add_arguments(parser)` and `run(options)`. TensorFlow takes
seconds to load and help must not wait for it, so `run` imports what the command works with.
"""
