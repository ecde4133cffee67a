"""The subcommands of `recu`: the options of each, and what it does."""
