"""XML from strangers: no entity is ever declared, and the C parser does the work.

Every known attack on an XML parser (entities that swell, files and addresses read through
entities) needs a document type, whose declaration has one spelling, ``<!DOCTYPE``. A file without
these bytes is safe for the standard library's C parser, provided that bytes are characters; all
others go through defusedxml, which forbids entities and takes twice as long.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as PlainXml
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import defusedxml.ElementTree as SafeXml
from defusedxml.common import DefusedXmlException

from samrs.core.errors import AnnotationError
from samrs.core.records import Annotation, Quarantine
from samrs.reading.annotations import Items, Place, read_items
from samrs.reading.files import read_bytes

_NAMED = re.compile(rb"""encoding\s*=\s*["'](?:utf-8|us-ascii|iso-8859-1)["']""", re.IGNORECASE)
"""Encodings that expat itself knows and in which an ASCII character is its own byte."""

_BAD_XML = (PlainXml.ParseError, DefusedXmlException, ValueError, LookupError)
_AT_ONCE = 2**22
"""Bytes of a file that is parsed as a whole; the tree of a larger one takes ten times its bytes."""

_PIECES = 32
"""Pieces of a large file, whose trees are built one after the other."""


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
    except _BAD_XML as error:
        raise _not_well_formed(error, where) from error


def _not_well_formed(error: Exception, where: str) -> AnnotationError:
    line = getattr(error, "position", (1, 0))[0]
    return AnnotationError(
        f"{where}:{line}: not well-formed XML, got {error}; a whole XML file is allowed; "
        "replace the file"
    )


def read_xml(path: Path, where: str, tag: str) -> Any:
    """Root element of an XML file; see ``parse_xml``.

    Args:
        tag: of the root: XML of another format would have none of the annotations looked for.

    Raises:
        AnnotationError: as ``parse_xml``, or the root is another.
    """
    root = parse_xml(read_bytes(path, where), where)
    _check_root(root, where, tag)
    return root


def _check_root(root: Any, where: str, tag: str) -> None:
    if root.tag != tag:
        raise AnnotationError(
            f"{where}:1: not an annotation file of this format, got <{root.tag[:100]}>; <{tag}> as "
            "the outermost element is allowed; replace the file"
        )


class _Pieces:
    """A file of a few pieces: expat before 2.6 scans an unfinished token anew with every piece."""

    def __init__(self, data: bytes) -> None:
        self._file, self._piece = io.BytesIO(data), len(data) // _PIECES + 1

    def read(self, _size: int) -> bytes:
        """The next piece, of a size of its own."""
        return self._file.read(self._piece)


class XmlItems:
    """Elements of one path of an XML file, once and in order, each with its number from 1.

    Those of a large file are emptied after their turn, so that its tree is never there as a whole:
    what was read of a file counts only when the last was read without an error.

    Args:
        path: of the file.
        where: what to name in errors.
        tag: as of ``read_xml``.
        items: tags from below the root, as ``objects/object``.

    Attributes:
        root: of the file, without what was emptied; None until all items were read.
        count: of the items read.
    """

    def __init__(self, path: Path, where: str, tag: str, items: str) -> None:
        self.root: Any = None
        self.count = 0
        self._path, self._where, self._tag, self._items = path, where, tag, items

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Each item.

        Raises:
            AnnotationError: as ``read_xml``, for a large file after items before the fault.
        """
        data = read_bytes(self._path, self._where)
        if len(data) > _AT_ONCE:
            found = self._one_by_one(data)
        else:
            root = parse_xml(data, self._where)
            _check_root(root, self._where, self._tag)
            self.root, found = root, root.iterfind(self._items)
        del data
        for element in found:
            self.count += 1
            yield self.count, element

    def _one_by_one(self, data: bytes) -> Iterator[Any]:
        wanted = self._items.split("/")
        above, depth = wanted[:-1], len(wanted)
        parse: Any = PlainXml.iterparse if has_no_doctype(data) else SafeXml.iterparse
        parsing = parse(_Pieces(data), events=("start", "end"))
        del data
        opened: list[Any] = []
        root: Any = None
        try:
            for event, element in parsing:
                if event == "start":
                    opened.append(element)
                    root = opened[0]
                    continue
                opened.pop()
                if len(opened) != depth or element.tag != wanted[-1]:
                    continue
                if [parent.tag for parent in opened[1:]] == above:
                    yield element
                    element.clear()
        except _BAD_XML as error:
            raise _not_well_formed(error, self._where) from error
        _check_root(root, self._where, self._tag)
        self.root = root


def read_objects(
    path: Path,
    where: str,
    items: str,
    parse: Callable[[Place, Any], Annotation],
    quarantine: Quarantine,
) -> tuple[Items[Annotation], tuple[int, int] | None]:
    """The objects of a file whose root is ``annotation``, and the size that it declares.

    Args:
        where: what to name in errors.
        items: as of ``XmlItems``.
        parse: as of ``read_items``.
        quarantine: takes what is bad, nothing of a file with a fault.

    Raises:
        AnnotationError: as ``read_xml``.
    """
    objects, bad = XmlItems(path, where, "annotation", items), Quarantine()
    found = read_items(objects, parse, where, bad, "object")
    quarantine.rows += bad.rows
    return found, declared_size(objects.root)


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


def declared_size(
    tree: Any, width: str = "size/width", height: str = "size/height"
) -> tuple[int, int] | None:
    """Width and height in px that a file says of its image.

    None where it says none, or zeros as some tools write.

    Args:
        tree: the root of the file.
        width: path of the width's element below it.
        height: that of the height's.
    """
    try:
        sides = [round(float(tree.findtext(path) or 0)) for path in (width, height)]
    except (ValueError, OverflowError):
        return None
    return (sides[0], sides[1]) if min(sides) > 0 else None
