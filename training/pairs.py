"""Which song belongs to which playlist: memberships, corrected by what users said."""

from dataclasses import dataclass

from registry.records import CatalogueSnapshot, Feedback, Verdict


@dataclass(frozen=True)
class Pair:
    """A playlist and a song that belongs to it, and where that is known from."""

    playlist_id: str
    song_id: str
    source: str


def positive_pairs(snapshot: CatalogueSnapshot) -> list[Pair]:
    """All (playlist, song) that belong together, by ids.

    An accept or a move adds a pair; a reject, or a move away, takes one out, whatever its source. Of what was said of
    one pair, the latest counts.
    """
    pairs = {(each.playlist_id, each.song_id): each.source.value for each in snapshot.memberships}
    for said in sorted(snapshot.feedback, key=lambda said: said.at):
        _apply(pairs, said)
    return [Pair(playlist_id, song_id, source) for (playlist_id, song_id), source in sorted(pairs.items())]


def _apply(pairs: dict[tuple[str, str], str], said: Feedback) -> None:
    if said.verdict is Verdict.REJECT:
        pairs.pop((said.playlist_id, said.song_id), None)
        return
    pairs.setdefault((said.playlist_id, said.song_id), "accepted")
    if said.from_playlist_id is not None and said.from_playlist_id != said.playlist_id:
        pairs.pop((said.from_playlist_id, said.song_id), None)
