"""The folder put on the target's PYTHONPATH; it holds nothing but ``sitecustomize``."""
