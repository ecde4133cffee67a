"""Networks and images from wherever they lie."""
