"""Results as tables for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SHOWN_SIGNALS = 4
_SHOWN_SHARE = 0.05

_METRICS = (
    ("top1", "Top-1"),
    ("top5", "Top-5"),
    ("mrr", "MRR"),
    ("recall_at_20", "recall@20"),
    ("ndcg_at_10", "nDCG@10"),
)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table; columns after the first are aligned right where all of their cells are numbers."""
    made = Table(*columns, title=title, title_justify="left", show_edge=False)
    if made.columns:
        made.columns[0].overflow = "fold"
    for number, column in enumerate(made.columns):
        column.justify = "right" if number and rows and all(_is_number(row[number]) for row in rows) else "left"
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def evaluation_table(report: Mapping[str, Any]) -> Table:
    """One version's figures: overall, by regime and signal, by genre."""
    rows: list[Sequence[object]] = [("all queries", report["n"], *_figures(report))]
    for name, regime in report["regimes"].items():
        label = f"{name} (of {regime['candidates']} playlists)"
        rows.append((label, regime["n"], *_figures(regime)))
        rows += [
            (f"    {signal} alone", figures["n"], *_figures(figures)) for signal, figures in regime["signals"].items()
        ]
        rows += [
            (f"    without {signal}", figures["n"], *_figures(figures))
            for signal, figures in regime.get("without", {}).items()
        ]
    for kind, groups in (("genre", report["genres"]), ("type", report.get("types", {}))):
        rows += [(f"{kind}: {name}", figures["n"], *_figures(figures)) for name, figures in groups.items()]
    made = table(f"Evaluation of {report['version']}", ["", "songs", *(label for _, label in _METRICS)], rows)
    made.caption, made.caption_justify = _none_fits(report.get("none_fits")), "left"
    return made


def lift_table(old: Mapping[str, Any], new: Mapping[str, Any]) -> Table:
    """Two versions side by side on the same held-out songs, with the lift."""
    rows: list[Sequence[object]] = []
    for name, before, after in _compared(old, new):
        for number, (key, label) in enumerate(_METRICS[:3]):
            figures = (f"{before[key]:.3f}", f"{after[key]:.3f}", f"{after[key] - before[key]:+.3f}")
            rows.append((name if not number else "", label, before["n"], *figures))
    return table("Held-out songs", ["", "", "songs", old["version"], new["version"], "lift"], rows)


def decision_table(decision: Mapping[str, Any]) -> Table:
    """Each rule of the gate with its verdict and figure."""
    title = f"The gate on {decision['candidate']}"
    made = Table("", "rule", "figure", title=title, title_justify="left", show_edge=False)
    for each in decision["verdicts"]:
        made.add_row("[green]pass[/]" if each["passed"] else "[red]fail[/]", each["rule"], escape(each["figure"]))
    return made


def print_golden(console: Console, report: Mapping[str, Any]) -> None:
    """Each golden case of an evaluation, before and after, with the ranks; then why those failed that did."""
    golden, before = report["golden"], report["golden_before"] or {"version": "before", "cases": ()}
    then = {case["song"]: case for case in before["cases"]}
    title = f"Golden cases: {golden['passed']} of {len(golden['cases'])} pass"
    names = (escape(before["version"]), escape(report["version"]))
    made = Table("", *names, "must reach", "must not reach", title=title, title_justify="left", show_edge=False)
    for case in golden["cases"]:
        old = then.get(case["song"], {})
        ranks = ("\n".join(_ranks(case[kind], old.get(kind, ()))) for kind in ("must", "must_not"))
        made.add_row(escape(case["song"]), _passed(old.get("passed")), _passed(case["passed"]), *ranks)
    console.print("", made)
    for case in golden["cases"]:
        if case["reason"]:
            console.print(f"{case['song']}: {case['reason']}", markup=False, highlight=False)


def print_matches(console: Console, document: Mapping[str, Any]) -> None:
    """A table for each song: its playlists, the signals that count most, and why in words."""
    for result in document["results"]:
        song = result["song"]
        by = f" by {song['artist']}" if song["artist"] else ""
        made = Table("playlist, and why", "score", "of which", title_justify="left", show_edge=False)
        made.title = escape(f"{song['title']}{by}") + _fit(result)
        for each in result["matches"]:
            made.add_row(_matched(each), f"{each['score']:+.2f}", _shares(each["signals"]))
        console.print(made, "")


def _none_fits(found: Mapping[str, Any] | None) -> str | None:
    """How well songs without a home are noticed; None for versions that cannot tell."""
    if found is None:
        return None
    return (
        f"none fits: {found['recognised']:.1%} of {found['n']} songs without a playlist are recognised, "
        f"{found['kept']:.1%} of the right answers stand"
    )


def _matched(match: Mapping[str, Any]) -> str:
    """The playlist, its type, and below it why the song was matched with it."""
    held = " [dim](already in)[/]" if match["already_in"] else ""
    kind = f" [dim]{match['type']}[/]" if match["type"] != "default" else ""
    return f"{escape(match['name'])}{kind}{held}\n[dim]{escape(match.get('why', ''))}[/]"


def _fit(result: Mapping[str, Any]) -> str:
    """Whether any playlist fits a song, if that is known."""
    if result.get("fits") is None:
        return ""
    sure = f"{result['confidence']:.0%} sure of the first"
    return f" [green]({sure})[/]" if result["fits"] else f" [yellow](none fits: {sure})[/]"


def _shares(signals: Mapping[str, float]) -> str:
    """The signals that move a score most, what speaks for it in green, what against it in red."""
    most = sorted((name for name in signals if abs(signals[name]) >= _SHOWN_SHARE), key=lambda n: -abs(signals[n]))
    return " ".join(
        f"[{'green' if signals[name] > 0 else 'red'}]{name} {signals[name]:+.1f}[/]" for name in most[:_SHOWN_SIGNALS]
    )


def _ranks(playlists: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each playlist with its rank, after the rank that it had before where that was another; red where it is wrong."""
    then = {each["playlist"]: each["rank"] for each in before}
    for each in playlists:
        old, rank = then.get(each["playlist"]), each["rank"]
        moved = f"{old}→" if old is not None and old != rank else ""
        said = f"{escape(each['playlist'])} {moved}{'?' if rank is None else rank}"
        yield said if each["passed"] else f"[red]{said}[/]"


def _passed(passed: bool | None) -> str:
    if passed is None:
        return ""
    return "[green]pass[/]" if passed else "[red]fail[/]"


def _figures(report: Mapping[str, Any]) -> list[str]:
    return [f"{report[key]:.3f}" for key, _ in _METRICS]


def _compared(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """What is compared: all queries, then each regime by full matching and by the playlist's text alone."""
    yield "all queries", old, new
    for name in new["regimes"]:
        before, after = old["regimes"][name], new["regimes"][name]
        yield f"{name} (of {after['candidates']} playlists)", before, after
        if "text" in before["signals"] and "text" in after["signals"]:
            yield "    by the playlist's text alone", before["signals"]["text"], after["signals"]["text"]


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))


def _is_number(value: object) -> bool:
    return str(value).lstrip("+-").replace(".", "", 1).isdigit()
