"""Does the file compute what the network computes, and is it as binary as it should be?"""
