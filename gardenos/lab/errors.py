"""What goes wrong with a lab."""

from __future__ import annotations

from gardenos.core.errors import GardenOSError


class LabError(GardenOSError):
    """The lab does not do what it was asked. `gardenos lab status` says what runs."""

    code = "lab"


class LabRefused(LabError):
    """This machine cannot run a lab as it is."""

    code = "lab-refused"
