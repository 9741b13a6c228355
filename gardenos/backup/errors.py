"""What goes wrong with backups.

GardenOSError
├── BackupFailed      backup-failed
├── BackupDamaged     backup-damaged
├── ArchiveGap        archive-gap
├── StoreUnusable     backup-store
└── RestoreRefused    restore-refused
"""

from __future__ import annotations

from gardenos.core.errors import GardenOSError


class BackupFailed(GardenOSError):
    """The backup could not be made. What PostgreSQL's program said follows; nothing was stored."""

    code = "backup-failed"


class BackupDamaged(GardenOSError):
    """A stored backup is not what was stored. Restore another one, and make a new one now."""

    code = "backup-damaged"


class ArchiveGap(GardenOSError):
    """The stored write-ahead log has a gap. Make a full backup now: what follows it is whole again."""

    code = "archive-gap"


class StoreUnusable(GardenOSError):
    """The place for backups cannot be used. Check GARDENOS_BACKUP_URL and its credentials."""

    code = "backup-store"


class RestoreRefused(GardenOSError):
    """A restore writes over nothing. Name a folder that is empty or does not exist."""

    code = "restore-refused"
