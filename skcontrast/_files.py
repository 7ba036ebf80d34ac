"""Files that are written whole or not at all, and read only where they are plain files."""

import os
import platform
import re
import stat
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:20] or "here"
# So old, a half file is nobody's, whatever process has its number by now.
_DAY = 86_400
_LOCK = threading.RLock()
_WRITING: set = set()


def write_whole(path, content):
    """Put ``content`` in the place of a file in one step, as :func:`writing` does."""
    with writing(path) as file:
        file.write(content)


@contextmanager
def writing(path):
    """Open what takes the place of a file in one step: a kill or a full disk leaves the old one.

    OSError names the file and says what is wrong with the disk.
    """
    mark = f"{_HOST}-{os.getpid()}-{threading.get_ident()}"
    partial = path.with_name(f"{path.name}.{mark}.partial")
    _WRITING.add(partial.name)
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        _WRITING.discard(partial.name)


def unwritable(path, error):
    """The one sentence for a file or folder that the disk does not take."""
    return OSError(
        error.errno,
        f"{str(path)!r} cannot be written ({error.strerror}): make room on the disk, or choose a "
        "folder that can be written to",
    )


def folder_at(path, name):
    """The path of a folder; ValueError where the parameter ``name`` is empty."""
    if str(path) == "":
        raise ValueError(
            f"{name} is '', which names no folder: type its path, or '.' for this one."
        )
    return Path(path)


def sweep(folder, names):
    """Remove the half files that killed processes left, whose file ``names`` (a pattern) matches.

    Those that are being written stay.
    """
    for partial in folder.glob("*.partial"):
        found = re.fullmatch(rf"(?:{names})\.(?:(\w+)-)?(\d+)(?:-\d+)?\.partial", partial.name)
        with suppress(OSError):
            if found and not _at_work(partial, found[1] or _HOST, int(found[2])):
                partial.unlink()


def _at_work(partial, host, process):
    if time.time() - partial.stat().st_mtime > _DAY:
        return False
    if host != _HOST or os.name != "posix":  # of other machines nothing more is known
        return True
    if process == os.getpid():
        return partial.name in _WRITING
    try:
        os.kill(process, 0)  # asks whether it is there
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def read_plain(path, links=False):
    """Bytes of a file; ValueError for a pipe or device, or a link out of its folder."""
    folder = os.path.realpath(path.parent)
    if not links and os.path.dirname(os.path.realpath(path)) != folder:
        raise ValueError("it is a link out of the folder")

    def opener(name, flags):  # opening a pipe would wait for someone who writes to it
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is a pipe or a device")
        return file.read()


@contextmanager
def locked(folder, shared=False):
    """Hold a folder against other threads and processes; ``shared`` lets others read too."""
    if fcntl is None:
        with _LOCK:
            yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # of file systems without locks
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
