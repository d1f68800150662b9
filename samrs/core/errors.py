"""Errors a user can act on.

Each is one sentence: where, what is wrong, what was got, what is allowed, what to do.
"""

from __future__ import annotations


class SamrsError(Exception):
    """Base of every error this project raises on purpose, with a message for the user."""


class ParameterError(SamrsError):
    """A parameter is missing, misspelt, or out of range."""


class UnknownNameError(SamrsError):
    """A dataset, prompt, segmenter, class or kind that does not exist was named."""


class MissingInputError(SamrsError):
    """A file or folder that a step reads is not there."""


class AnnotationError(SamrsError):
    """An annotation file or line cannot be read; the message starts with ``file:line``."""


class ImageError(SamrsError):
    """An image cannot be decoded; ``reason`` is the quarantine's short phrase for it."""

    reason = "image does not decode"


class ImageNameError(ImageError):
    """An image is not of the format that its name says."""

    reason = "image of another format than its name"


class ImageSizeError(ImageError):
    """An image is too large to be read, or made so that it cannot be read in parts."""

    reason = "image too large"


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
