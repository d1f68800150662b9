"""XML as defusedxml reads it, faster; every trick with entities refused, whatever its encoding."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import defusedxml.ElementTree as SafeXml
import pytest
from defusedxml.common import DefusedXmlException
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import AnnotationError
from samrs.reading import xml
from samrs.reading.xml import XmlItems, child_text, child_texts, has_no_doctype, parse_xml

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
TRICKS = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
    "quadratic": f'<!DOCTYPE a [<!ENTITY b "{"b" * 9999}">]><a>{"&b;" * 999}</a>',
    "file": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>',
    "address": '<!DOCTYPE a [<!ENTITY b SYSTEM "http://127.0.0.1:9/b">]><a>&b;</a>',
    "parameter": '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/b"> %b;]><a/>',
    "unparsed": '<!DOCTYPE a [<!NOTATION n SYSTEM "n"><!ENTITY b SYSTEM "b" NDATA n>]><a/>',
    "unused": '<!DOCTYPE a [<!ENTITY b "c">]><a/>',
    "after a comment": '<!-- a > b --><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "after an instruction": '<?a > ?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "tabs": '<!DOCTYPE\ta\n[<!ENTITY\tb "c">]><a>&b;</a>',
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-7", "cp037"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("trick", TRICKS)
def test_entities_are_refused_in_any_encoding(trick: str, encoding: str) -> None:
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    for declaration in ("", f"<?xml version='1.0' encoding='{name}'?>"):
        data = (declaration + TRICKS[trick]).encode(encoding)
        with pytest.raises(AnnotationError, match=r"a\.xml:\d+: not well-formed XML"):
            parse_xml(data, "a.xml")


@pytest.mark.parametrize(
    "encoding", ["utf-7", "unicode_escape", "raw_unicode_escape", "cp037", "x", "utf-16", "hz"]
)
def test_named_encoding_hides_no_entity(encoding: str) -> None:
    """Spellings that only a decoder of that name would take for a document type."""
    declaration = f"<?xml version='1.0' encoding='{encoding}'?>".encode()
    hidden = ("+ADw-!DOCTYPE a [+ADw-!ENTITY b 'c'>]><a>&b;</a>", "\\x3c!DOCTYPE a []><a>&b;</a>")
    hidden += (r"\u003c!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>&b;</a>")
    for text in hidden:
        assert not has_no_doctype(declaration + text.encode())
        with pytest.raises(AnnotationError, match=r"a\.xml:\d+: not well-formed XML"):
            parse_xml(declaration + text.encode(), "a.xml")


@pytest.mark.parametrize(
    "text",
    [
        "<a><!-- <!DOCTYPE a> --><b>1</b></a>",
        "<a><b>1</b><c><![CDATA[<!DOCTYPE a [<!ENTITY b 'c'>]>]]></c></a>",
        "<!DOCTYPE a><a><b>1</b></a>",
        "<!DOCTYPE a SYSTEM 'a.dtd'><a><b>1</b></a>",
    ],
)
def test_the_word_alone_harms_nobody(text: str) -> None:
    assert not has_no_doctype(text.encode())
    assert parse_xml(text.encode(), "a.xml").findtext("b") == "1"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF-8", "ISO-8859-1", "US-ASCII", "latin1", "cp1252"]
)
def test_named_encodings_are_decoded(encoding: str) -> None:
    text = "a" if encoding == "US-ASCII" else "é"
    data = f'<?xml version="1.0" encoding = "{encoding}" ?>\n<a><b>{text}</b></a>'
    assert parse_xml(data.encode(encoding), "a.xml").findtext("b") == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_name_the_encoding_too(encoding: str) -> None:
    assert parse_xml("<a><b>é</b></a>".encode(encoding), "a.xml").findtext("b") == "é"


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"\xff\xfe<", b'<?xml version="1.0" encoding="x"?><a/>', b"<a>&b;</a>"]
)
def test_broken_xml_names_file_and_line(data: bytes) -> None:
    with pytest.raises(AnnotationError, match=r"a\.xml:\d+: not well-formed XML"):
        parse_xml(data, "a.xml")


def test_line_is_that_of_the_fault() -> None:
    with pytest.raises(AnnotationError, match=r"a\.xml:3: not well-formed XML, got mismatched tag"):
        parse_xml(b"<a>\n<b>\n</a>\n", "a.xml")


def test_nesting_a_million_deep_harms_nobody() -> None:
    with pytest.raises(AnnotationError, match="not well-formed XML"):
        parse_xml(b"<a>" * 1_000_000, "a.xml")
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    assert parse_xml(deep, "a.xml").find("b") is None


PIECES = st.sampled_from(
    [
        b"<a>",
        b"</a>",
        b"<b>1</b>",
        b"&b;",
        b"&amp;",
        b"<!DOCTYPE a [",
        b"<!DOCTYPE a>",
        b"]>",
        b"\0",
    ]
    + [b"<!ENTITY b 'c'>", b"<!-- ", b" -->", b"<![CDATA[", b"]]>", b"<?xml version='1.0'?>", b" "]
    + [b"<?xml version='1.0' encoding='utf-16'?>", b"<?xml version='1.0' encoding='latin1'?>"]
    + [b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"<?xml encoding='utf-8'", b"?>", b">", b"a='<'"]
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_read_as_defusedxml_reads_it(data: bytes) -> None:
    try:
        expected = SafeXml.tostring(SafeXml.fromstring(data))
    except (SafeXml.ParseError, DefusedXmlException, ValueError, LookupError):
        with pytest.raises(AnnotationError, match=r"a\.xml:\d+: not well-formed XML"):
            parse_xml(data, "a.xml")
    else:
        assert SafeXml.tostring(parse_xml(data, "a.xml")) == expected


def read_items(data: bytes, items: str, at_once: int) -> tuple[list[tuple[int, bytes]], str | None]:
    """The items of a file up to its first fault, and what is said of that."""
    found: list[tuple[int, bytes]] = []
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml, "_AT_ONCE", at_once)
        path = Path(folder, "a.xml")
        path.write_bytes(data)
        try:
            for number, element in XmlItems(path, "a.xml", "a", items):
                element.tail = None  # what follows is not yet read in a large file
                found.append((number, SafeXml.tostring(element)))
        except AnnotationError as error:
            return found, str(error)
    return found, None


@given(st.lists(PIECES, max_size=12).map(b"".join), st.sampled_from(["b", "a", "a/b", "b/b"]))
def test_items_of_large_files_are_those_of_small_ones(data: bytes, items: str) -> None:
    for whole in (data, b"<a>" + data + b"</a>"):
        found, fault = read_items(whole, items, at_once=len(whole))
        assert fault is None or found == []
        large, fault_of_large = read_items(whole, items, at_once=-1)
        assert fault_of_large == fault
        assert fault is not None or large == found


def test_a_long_token_of_a_large_file_costs_seconds_not_minutes() -> None:
    data = b"<a><!--" + b"-x" * 2**24 + b"--></a>"
    began = time.process_time()
    assert read_items(data, "b", at_once=0) == ([], None)
    assert time.process_time() - began < 10


def test_a_large_file_is_emptied_item_by_item(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<a><c><d>1</d></c>{'<b><e>22</e></b>' * 500_000}<c>3</c></a>")
    items = XmlItems(path, "a.xml", "a", "b")
    assert all(element.findtext("e") == "22" for _, element in items)
    assert items.count == 500_000
    assert items.root.findtext("c/d") == "1"
    assert items.root.find("b/e") is None


def test_text_of_descendants() -> None:
    root = SafeXml.fromstring("<a><b> x </b><c><d>1</d><e/><d>2</d></c></a>")
    assert child_text(root, "b", "a:1") == "x"
    assert child_texts(root, "c", "a:1") == {"d": "1", "e": ""}
    with pytest.raises(AnnotationError, match=r"a:1: a field is missing, got no text in <c/e>"):
        child_text(root, "c/e", "a:1")
    with pytest.raises(AnnotationError, match=r"a:1: a field is missing, got no <f>"):
        child_texts(root, "f", "a:1")
