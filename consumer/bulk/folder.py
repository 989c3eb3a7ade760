"""Claims a spool folder for this process: the first one that no other process has locked."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, Final

from consumer.errors import Fatal

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS: Final = 256


class SpoolFolder:
    """A folder that is locked until the process ends, however it ends; a restart finds it again."""

    def __init__(self, root: Path) -> None:
        """Lock a folder below `root`. Raises: `Fatal` when none can be locked."""
        for number in range(_FOLDERS):
            place = root / str(number)
            try:
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = (place / "lock").open("wb")
            except OSError as error:
                detail = (
                    f"cannot spool to {place}: {error.strerror}; set delivery.spool_dir to a"
                    f" writable directory"
                )
                raise Fatal(detail) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self._lock = lock
            self._place = place
            return
        detail = (
            f"all {_FOLDERS} spool folders below {root} are locked by other processes; give this "
            "process another delivery.spool_dir"
        )
        raise Fatal(detail)

    def of_object(self, name: str) -> Path:
        """Return the folder of one object."""
        folder = self._place / name
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    @property
    def place(self) -> Path:
        """Folder of this process."""
        return self._place

    def close(self) -> None:
        """Unlock the folder."""
        self._lock.close()
