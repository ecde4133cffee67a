"""int8 for the layers of a binary network that are not binary."""
