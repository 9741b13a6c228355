"""GardenOS: the self-hosted, AI-native CRM platform."""

from importlib.metadata import version

__version__ = version("gardenos")
