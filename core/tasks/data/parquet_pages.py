"""How large a Parquet file's values can be, from what its pages say before they are unpacked."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData


def largest_value(path: Path, groups: "FileMetaData") -> int:
    """Bytes that no value of a text column is longer than because a page says it once and means it often.

    That is the size of the largest dictionary, which stands at the head of the column's pages (PageHeader in
    parquet.thrift: kind, unpacked size, packed size, each a zigzag varint behind a byte 0x15); where values may share
    beginnings, all of the column.
    """
    largest = 1
    with path.open("rb") as file:
        for number in range(groups.num_row_groups):
            for place in range(groups.num_columns):
                chunk = groups.row_group(number).column(place)
                if chunk.physical_type != "BYTE_ARRAY":
                    continue
                if "DELTA_BYTE_ARRAY" in chunk.encodings:
                    largest = max(largest, chunk.total_uncompressed_size)
                if chunk.has_dictionary_page:
                    file.seek(chunk.dictionary_page_offset)
                    largest = max(largest, _unpacked_size(file.read(16)) or chunk.total_uncompressed_size)
    return largest


def _unpacked_size(header: bytes) -> int:
    """The second number of a page header; 0 where it does not look like one."""
    numbers: list[int] = []
    place = 0
    while len(numbers) < 2:
        if header[place : place + 1] != b"\x15":
            return 0
        place += 1
        value = shift = 0
        while place < len(header):
            byte = header[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        numbers.append(value >> 1)
    return numbers[1]
