"""The benches of L{bench}: that they run, and see what is wrong."""
