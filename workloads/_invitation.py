"""How a server that is a workload's target tells its clients, a service, that it is there."""


def invitation(port: int) -> bytes:
    """Say on which port the server is."""
    return f"{port}\n".encode()
