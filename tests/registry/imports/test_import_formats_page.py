"""docs/import-formats.md tells the truth: its tables are the records, its examples can be imported."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from registry.imports.exportify import MEMBERSHIP_COLUMNS
from registry.imports.exportify import SONG_COLUMNS as EXPORTIFY_COLUMNS
from registry.imports.jsonl import KINDS
from registry.imports.reader import BadRow, DroppedField, read_library
from registry.imports.spotify import PLAYLIST_COLUMNS
from registry.imports.spotify import SONG_COLUMNS as SPOTIFY_COLUMNS
from registry.records import AudioFeatures

PAGE = (Path(__file__).parents[3] / "docs" / "import-formats.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[BaseModel]] = {**KINDS, "audio_features": AudioFeatures}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_table_has_every_field_and_says_which_are_required(name: str) -> None:
    section = re.split(r"\n#+ ", PAGE.split(f"\n### `{name}`")[1])[0]
    required = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", section, re.MULTILINE))
    fields = SECTIONS[name].model_fields
    assert list(required) == list(fields)
    assert [field for field, text in required.items() if text == "yes"] == [
        field for field, info in fields.items() if info.is_required()
    ]


def test_every_column_is_named() -> None:
    columns = (*EXPORTIFY_COLUMNS, *MEMBERSHIP_COLUMNS, *PLAYLIST_COLUMNS, *SPOTIFY_COLUMNS)
    plain = [column for column in columns if not column.field.startswith("audio_features.")]
    assert [name for column in plain for name in column.names if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("language", ["json", "csv"])
def test_the_examples_can_be_imported(tmp_path: Path, language: str) -> None:
    examples = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        path = tmp_path / "example"
        path.write_text(example, encoding="utf-8")
        entries = list(read_library(path))
        assert entries
        assert not [entry for entry in entries if isinstance(entry, BadRow | DroppedField)]
