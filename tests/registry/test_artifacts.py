"""The artifact store: what goes in, what comes out, and everything that must not."""

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts import SAFE_SUFFIXES, ArtifactStore, copy_safe_files, digest_of
from registry.errors import ArtifactError, DigestMismatch, UnsafeArtifact

names = st.text("abcxyz", min_size=1, max_size=4)
paths = st.builds(
    lambda folders, stem, suffix: "/".join([*folders, stem + suffix]),
    st.lists(names, max_size=2),
    names,
    st.sampled_from(sorted(SAFE_SUFFIXES)),
)
contents = st.dictionaries(paths, st.binary(max_size=30), max_size=6)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return _write(
        tmp_path / "model",
        {
            "model.safetensors": b"\x00\x01\x02",
            "config.json": b"{}",
            "1_Pooling/config.json": b'{"mode": "mean"}',
            "README.md": b"made up",
        },
    )


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def test_the_digest_is_that_of_the_sorted_lines_of_the_files_own_digests(model: Path) -> None:
    lines = [
        f"{sha256((model / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("1_Pooling/config.json", "README.md", "config.json", "model.safetensors")
    ]
    assert digest_of(model) == sha256("".join(lines).encode()).hexdigest()


@settings(max_examples=40, deadline=None)
@given(contents, contents)
def test_two_folders_have_one_digest_only_if_they_hold_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    base = tmp_path_factory.mktemp("folders")
    one, other = _write(base / "one", first), _write(base / "other", second)
    assert (digest_of(one) == digest_of(other)) == (first == second)
    assert digest_of(_write(base / "again", dict(reversed(first.items())))) == digest_of(one)


def test_a_stored_artifact_comes_back_byte_for_byte_from_a_folder_named_by_its_digest(
    store: ArtifactStore, model: Path
) -> None:
    digest = store.add(model)
    folder = store.verified(digest)
    assert folder.name == digest == digest_of(model)
    assert _read(folder) == _read(model)


def test_an_artifact_does_not_depend_on_the_folder_it_came_from(store: ArtifactStore, model: Path) -> None:
    digest = store.add(model)
    shutil.rmtree(model)
    assert _read(store.verified(digest))


def test_adding_again_changes_nothing(store: ArtifactStore, model: Path, tmp_path: Path) -> None:
    digest = store.add(model)
    before = {path: path.stat() for path in (tmp_path / "store").rglob("*")}
    assert store.add(model) == digest
    assert {path: path.stat() for path in (tmp_path / "store").rglob("*")} == before


def test_adding_again_mends_an_artifact_that_was_changed(store: ArtifactStore, model: Path) -> None:
    digest = store.add(model)
    (store.verified(digest) / "config.json").write_bytes(b"[]")
    assert store.add(model) == digest
    assert _read(store.verified(digest)) == _read(model)


def _change_a_byte(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00\x01\x03")


def _add_a_file(folder: Path) -> None:
    (folder / "1_Pooling" / "more.json").write_bytes(b"{}")


def _remove_a_file(folder: Path) -> None:
    (folder / "README.md").unlink()


def _rename_a_file(folder: Path) -> None:
    (folder / "README.md").rename(folder / "readme.md")


def _move_a_file(folder: Path) -> None:
    (folder / "README.md").rename(folder / "1_Pooling" / "README.md")


def _swap_two_files(folder: Path) -> None:
    first, second = folder / "config.json", folder / "1_Pooling" / "config.json"
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _empty_a_file(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 0)


@pytest.mark.parametrize(
    "tamper",
    [
        _change_a_byte,
        _add_a_file,
        _remove_a_file,
        _rename_a_file,
        _move_a_file,
        _swap_two_files,
        _empty_a_file,
    ],
)
def test_whatever_is_changed_in_an_artifact_it_is_not_loaded(
    store: ArtifactStore, model: Path, tamper: Callable[[Path], None]
) -> None:
    digest = store.add(model)
    tamper(store.verified(digest))
    with pytest.raises(DigestMismatch) as refused:
        store.verified(digest)
    assert digest[:12] in refused.value.fact
    assert refused.value.remedy


def _put_a_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def _put_code(folder: Path) -> None:
    (folder / "1_Pooling" / "modeling.py").write_bytes(b"raise SystemExit\n")


def _put_a_file_without_suffix(folder: Path) -> None:
    (folder / "LICENSE").write_bytes(b"")


def _put_a_safe_name_in_capitals(folder: Path) -> None:
    (folder / "model.PKL").write_bytes(b"")


def _put_a_link_to_a_file(folder: Path) -> None:
    outside = folder.parent.parent / "outside.json"
    outside.write_bytes(b"{}")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(outside)


def _put_a_link_to_a_folder(folder: Path) -> None:
    shutil.rmtree(folder / "1_Pooling")
    (folder / "1_Pooling").symlink_to(folder.parent.parent / "model" / "1_Pooling", target_is_directory=True)


def _put_a_dangling_link(folder: Path) -> None:
    (folder / "vocab.txt").symlink_to(folder / "nowhere.txt")


def _put_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "vocab.txt")


UNSAFE = [
    _put_a_pickle,
    _put_code,
    _put_a_file_without_suffix,
    _put_a_safe_name_in_capitals,
    _put_a_link_to_a_file,
    _put_a_link_to_a_folder,
    _put_a_dangling_link,
    _put_a_pipe,
]


@pytest.mark.parametrize("tamper", UNSAFE)
def test_an_artifact_with_something_unsafe_in_it_is_not_loaded(
    store: ArtifactStore, model: Path, tamper: Callable[[Path], None]
) -> None:
    digest = store.add(model)
    tamper(store.verified(digest))
    with pytest.raises(UnsafeArtifact):
        store.verified(digest)


@pytest.mark.parametrize("tamper", UNSAFE)
def test_a_folder_with_something_unsafe_in_it_is_not_stored(
    store: ArtifactStore, tmp_path: Path, model: Path, tamper: Callable[[Path], None]
) -> None:
    source = tmp_path / "sources" / "source"
    shutil.copytree(model, source)
    tamper(source)
    with pytest.raises(UnsafeArtifact):
        store.add(source)
    assert not list(tmp_path.glob("store/*"))


def test_an_artifact_that_is_not_there_is_missed_by_name(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as missing:
        store.verified("b" * 64)
    assert type(missing.value) is ArtifactError
    assert "b" * 12 in missing.value.fact
    assert str(tmp_path / "store") in missing.value.fact


def test_a_folder_that_does_not_exist_is_not_stored(store: ArtifactStore, model: Path, tmp_path: Path) -> None:
    for source in (tmp_path / "nowhere", model / "config.json"):
        with pytest.raises(ArtifactError) as missing:
            store.add(source)
        assert str(source) in missing.value.fact
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../model", "/", "b" * 63, "B" * 64, "b" * 64 + "\n", "b" * 64 + "/.."]
)
def test_what_is_no_digest_names_no_artifact_and_removes_nothing(
    store: ArtifactStore, model: Path, tmp_path: Path, name: str
) -> None:
    store.add(model)
    before = _read(tmp_path)
    with pytest.raises(ArtifactError):
        store.verified(name)
    store.remove(name)
    assert _read(tmp_path) == before


def test_a_copy_that_breaks_off_leaves_nothing(
    store: ArtifactStore, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_off_copies(monkeypatch)
    with pytest.raises(OSError, match="disk is full"):
        store.add(model)
    assert list((tmp_path / "store").iterdir()) == []


def test_a_copy_that_breaks_off_leaves_the_artifact_that_is_there_already(
    store: ArtifactStore, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = store.add(model)
    other = _write(tmp_path / "other", {"config.json": b"[]", "vocab.txt": b"a"})
    _break_off_copies(monkeypatch)
    with pytest.raises(OSError, match="disk is full"):
        store.add(other)
    assert [path.name for path in (tmp_path / "store").iterdir()] == [kept]
    assert _read(store.verified(kept)) == _read(model)


def test_what_a_killed_process_left_behind_is_no_artifact_and_in_nobodys_way(
    store: ArtifactStore, model: Path, tmp_path: Path
) -> None:
    digest = digest_of(model)
    _write(tmp_path / "store" / ".draft-abc" / digest, {"config.json": b"{}"})
    with pytest.raises(ArtifactError):
        store.verified(digest)
    assert store.add(model) == digest
    assert _read(store.verified(digest)) == _read(model)


def test_a_removed_artifact_is_gone_and_the_others_are_not(store: ArtifactStore, model: Path, tmp_path: Path) -> None:
    digest, other = store.add(model), store.add(_write(tmp_path / "other", {"config.json": b"[]"}))
    store.remove(digest)
    store.remove(digest)
    with pytest.raises(ArtifactError):
        store.verified(digest)
    assert _read(store.verified(other)) == {"config.json": b"[]"}


def test_of_a_model_folder_only_what_is_safe_is_copied(model: Path, tmp_path: Path) -> None:
    safe = _read(model)
    _put_a_pickle(model)
    _put_code(model)
    _put_a_file_without_suffix(model)
    copy = tmp_path / "copy"
    copy_safe_files(model, copy)
    assert _read(copy) == safe
    digest_of(copy)


def test_links_of_a_download_cache_are_copied_as_the_files_they_mean(model: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "config.json").symlink_to(model / "config.json")
    copy_safe_files(snapshot, tmp_path / "copy")
    assert _read(tmp_path / "copy") == {"config.json": b"{}"}
    digest_of(tmp_path / "copy")


def _break_off_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every copy of a folder gets one file far, then the disk is full."""

    def copytree(source: Path, target: Path) -> None:
        target.mkdir(parents=True)
        first = next(path for path in sorted(source.rglob("*")) if path.is_file())
        (target / first.name).write_bytes(first.read_bytes())
        raise OSError("disk is full")

    monkeypatch.setattr("registry.artifacts.shutil.copytree", copytree)


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
