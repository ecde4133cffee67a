"""Images and labels that the caller of a training brings along."""
