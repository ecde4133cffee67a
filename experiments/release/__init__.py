"""The check of a release: its sdist and wheels, installed as users install them."""
