"""Errors a user can act on.

Each is one sentence: where, what is wrong, what was got, what is allowed, what to do. Two errors
of Python get such a sentence here: a full disk, and a package that comes with an extra, such as
``samrs[label]``. Which extra brings what stands in pyproject.toml, which an installed package
carries as its metadata.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECTS = {"pystac": "pystac-core", "ruamel": "ruamel.yaml", "sklearn": "scikit-learn"}
"""Names of projects by those of their modules, where these differ by more than ``_`` and ``-``."""


class SamrsError(Exception):
    """Base of every error this project raises on purpose, with a message for the user.

    Attributes:
        outline: of an annotation that is refused, corners (K, 2) xy in px; None: not known.
    """

    outline: Any = None


class ParameterError(SamrsError):
    """A parameter is missing, misspelt, or out of range."""


class UnknownNameError(SamrsError):
    """A dataset, prompt, segmenter, class or kind that does not exist was named."""


class MissingExtraError(SamrsError, ImportError):
    """A package is not installed that comes with an extra, such as ``samrs[label]``."""


class MissingInputError(SamrsError):
    """A file or folder that a step reads is not there."""


class AnnotationError(SamrsError):
    """An annotation file or line cannot be read; the message starts with ``file:line``."""


class ImageError(SamrsError):
    """An image cannot be decoded; ``reason`` is the quarantine's short phrase for it."""

    reason = "image does not decode"


class ImageFileError(ImageError):
    """There is no file to decode: a link that leads nowhere, a pipe, a folder."""

    reason = "image cannot be read"


class ImageNameError(ImageError):
    """An image is not of the format that its name says."""

    reason = "image of another format than its name"


class ImageSizeError(ImageError):
    """An image is too large to be read, or made so that it cannot be read in parts."""

    reason = "image too large"


class ImageBandError(ImageError):
    """An image lacks a band that was chosen, or its bands cannot be shown."""

    reason = "image without the chosen bands"


class ImageDataError(ImageError):
    """An image has no px that is a measurement."""

    reason = "image without data"


class VirtualRasterError(ImageError):
    """A virtual raster shows what it may not show, or does what is not known to be harmless."""

    reason = "virtual raster refused"


class DeclaredSizeError(ImageError):
    """An image is of another size than its annotations say."""

    reason = "image of another size than declared"


class TrainingError(SamrsError):
    """A training cannot go on."""


class QuarantineError(SamrsError):
    """More of the input was bad than the parameters allow."""


class ProductError(SamrsError):
    """A written product does not match its manifest."""


class SourceError(SamrsError):
    """An official file cannot be had: absent, not fetchable, or not the file its publisher made."""


class TermsError(SamrsError):
    """Data was asked for whose terms the user has not accepted."""


class ArchiveError(SamrsError):
    """An archive is broken or a member of it is hostile; nothing of it was unpacked."""


def advice(got: object, allowed: Iterable[str], otherwise: str) -> str:
    """What to do about an unknown name, the end of an error's sentence.

    Args:
        got: the unknown name.
        allowed: the names that exist.
        otherwise: what to do where none of them is close.
    """
    close = difflib.get_close_matches(str(got), list(allowed), 1)
    return f"did you mean {close[0]}?" if close else otherwise


def check_known(
    where: str, what: str, got: str, allowed: Collection[str], otherwise: str = "use one of these"
) -> None:
    """Refuse a name that is none of those there are.

    Args:
        where: of the parameter.
        what: it names.
        got: the name.
        allowed: the names that exist.
        otherwise: what to do.

    Raises:
        ParameterError: it is none of them.
    """
    if got not in allowed:
        raise ParameterError(
            f"{where}: unknown {what}, got {got!r}; {', '.join(allowed)} are allowed; {otherwise}"
        )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors of the system that name no file the name of this one.

    Args:
        path: the file that is written in the body.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def full_disk(error: OSError) -> str | None:
    """The sentence for a user whose disk, quota or file is full, None for any other error."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    return (
        f"{error.filename or 'an output'}: cannot be written, got {error.strerror or error}; room "
        "on the disk is needed; make some and run again"
    )


@contextmanager
def named_extra() -> Iterator[None]:
    """Tell which extra brings a package that an import within finds missing.

    Raises:
        MissingExtraError: the package is one of an extra; of others the ImportError stays.
    """
    try:
        yield
    except ImportError as error:
        module = _missing(error)
        extra = extra_of(module) if module else None
        if extra is None:
            raise
        raise MissingExtraError(
            f"samrs: a package is not installed, got no module {module!r}; it comes with the extra "
            f"{extra}; run pip install 'samrs[{extra}]'"
        ) from error


def extra_of(module: str) -> str | None:
    """The first extra that brings a module; None for modules of the base, and for unknown ones."""
    from importlib.metadata import PackageNotFoundError, requires  # slow, and for errors only

    project = PROJECTS.get(module, module).replace("_", "-")
    try:
        wanted = requires("samrs") or []
    except PackageNotFoundError:  # a checkout that is not installed
        return None
    for requirement in wanted:
        found = re.match(r"([\w.-]+).*;\s*extra == ['\"](\w+)['\"]", requirement)
        if found and found[1].lower().replace("_", "-") == project:
            return found[2]
    return None


def _missing(error: BaseException | None) -> str | None:
    """The top-level module that an import error, or what led to it, found missing."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__ or error.__context__
    return None
