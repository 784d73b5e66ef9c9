"""The version of concurtrace; nobody imports it from the package root."""

VERSION = "0.1.0"
