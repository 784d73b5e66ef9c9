"""Frozen data between the stages; no behaviour beyond looking things up."""
