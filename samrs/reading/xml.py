"""XML from strangers: no entity is ever declared, and the C parser does the work.

Every known attack on an XML parser (entities that swell, files and addresses read through
entities) needs a document type, whose declaration has one spelling, ``<!DOCTYPE``. A file without
these bytes is safe for the standard library's C parser, provided that bytes are characters; all
others go through defusedxml, which forbids entities and takes twice as long.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as PlainXml
from pathlib import Path
from typing import Any

import defusedxml.ElementTree as SafeXml
from defusedxml.common import DefusedXmlException

from samrs.core.errors import AnnotationError
from samrs.reading.files import read_bytes

_NAMED = re.compile(rb"""encoding\s*=\s*["'](?:utf-8|us-ascii|iso-8859-1)["']""", re.IGNORECASE)
"""Encodings that expat itself knows and in which an ASCII character is its own byte."""


def has_no_doctype(data: bytes) -> bool:
    """Whether an XML file certainly declares no document type; False where it is not certain.

    UTF-16 and UTF-32 have zero bytes in every ``<``. Other encodings are believed only by name;
    what names them, the XML declaration, is ASCII and ends at the first ``>``.
    """
    if b"<!DOCTYPE" in data or b"\0" in data:
        return False
    declaration = data[: data.find(b">")]
    return b"encoding" not in declaration or _NAMED.search(declaration) is not None


def parse_xml(data: bytes, where: str) -> Any:
    """Root element of an XML file's bytes (``xml.etree`` interface).

    Raises:
        AnnotationError: it is not well-formed, or declares entities.
    """
    try:
        if has_no_doctype(data):
            return PlainXml.fromstring(data)  # noqa: S314 (see this module's docstring)
        return SafeXml.fromstring(data)
    except (PlainXml.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        line = getattr(error, "position", (1, 0))[0]
        raise AnnotationError(
            f"{where}:{line}: not well-formed XML, got {error}; a whole XML file is allowed; "
            "replace the file"
        ) from error


def read_xml(path: Path, where: str, tag: str) -> Any:
    """Root element of an XML file; see ``parse_xml``.

    Args:
        tag: of the root: XML of another format would have none of the annotations looked for.

    Raises:
        AnnotationError: as ``parse_xml``, or the root is another.
    """
    root = parse_xml(read_bytes(path, where), where)
    if root.tag != tag:
        raise AnnotationError(
            f"{where}:1: not an annotation file of this format, got <{root.tag[:100]}>; <{tag}> as "
            "the outermost element is allowed; replace the file"
        )
    return root


def child_text(element: Any, path: str, where: str) -> str:
    """Text of a descendant of an XML element, stripped.

    Raises:
        AnnotationError: there is none, or it is empty.
    """
    text = (element.findtext(path) or "").strip()
    if not text:
        raise AnnotationError(
            f"{where}: a field is missing, got no text in <{path}>; the format demands it; "
            "correct the file"
        )
    return text


def child_texts(element: Any, path: str, where: str) -> dict[str, str]:
    """Text of each child of a descendant of an XML element, stripped, by tag.

    Quicker than ``child_text`` for each. Of several children of one tag the first counts.

    Raises:
        AnnotationError: there is no such descendant.
    """
    parent = element.find(path)
    if parent is None:
        raise AnnotationError(
            f"{where}: a field is missing, got no <{path}>; the format demands it; correct the file"
        )
    return {child.tag: (child.text or "").strip() for child in reversed(parent)}
