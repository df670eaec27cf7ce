"""The rewards of these tests are imported by their tests, here and in `real/`."""
