"""What Weights & Biases wrote of an offline run, read from its transaction log."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

_PROTOCOL: Any = wandb_internal_pb2  # made at run time, so nothing is known of its types
_BLOCK = 32768
_FRAME = struct.Struct("<IHB")  # checksum, length, kind: 1 is a whole record, 4 the last part of one
_HEADER = 7


@dataclass
class OfflineRun:
    """A run as W&B would send it."""

    run_id: str = ""
    project: str = ""
    resumes: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    kinds: set[str] = field(default_factory=set)


def runs_in(home: Path) -> list[Path]:
    """The folders of the runs in a home, oldest first."""
    return sorted((home / "wandb").glob("*run-*"))


def read_run(folder: Path) -> OfflineRun:
    """Read all there is."""
    (log,) = folder.glob("*.wandb")
    run = OfflineRun()
    for record in _records(log.read_bytes()):
        run.kinds.add(str(record.WhichOneof("record_type")))
        _take(run, record)
    return run


def _take(run: OfflineRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.run_id, run.project, run.resumes = record.run.run_id, record.run.project, record.run.resume
        run.config = {each.key: json.loads(each.value_json) for each in record.run.config.update}
    elif kind == "history":
        row = {"/".join(each.nested_key) or each.key: json.loads(each.value_json) for each in record.history.item}
        run.history.append({name: value for name, value in row.items() if not name.startswith("_")})
    elif kind == "summary":
        for each in record.summary.update:
            run.summary["/".join(each.nested_key) or each.key] = json.loads(each.value_json)
    elif kind == "metric" and record.metric.glob_name:
        run.axes[record.metric.glob_name] = record.metric.step_metric
    elif kind == "artifact":
        run.artifacts[record.artifact.name] = record.artifact
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _records(log: bytes) -> Iterator[Any]:
    """The records of a log in LevelDB's format: frames in blocks, none of which crosses the end of its block."""
    assert log.startswith(b":W&B")
    at, parts = _HEADER, b""
    while at + _FRAME.size <= len(log):
        left = _BLOCK - at % _BLOCK
        if left < _FRAME.size:
            at += left
            continue
        _, length, kind = _FRAME.unpack_from(log, at)
        at += _FRAME.size
        parts += log[at : at + length]
        at += length
        if kind in (1, 4):
            record = _PROTOCOL.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""
