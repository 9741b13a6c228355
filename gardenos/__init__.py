"""GardenOS: the self-hosted, AI-native CRM platform."""

from importlib.metadata import version


def __getattr__(name: str) -> str:
    # Asked for only where it is used: the discovery sidecar runs from a copy of the source alone.
    if name == "__version__":
        return version("gardenos")
    raise AttributeError(name)
