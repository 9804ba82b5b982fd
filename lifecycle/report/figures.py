"""Figures as people read them: a real minus sign, thin spaces between thousands, and a dash for what is not known."""

from markupsafe import Markup, escape

UNKNOWN = "–"

_THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"
_MINUTE, _HOUR = 60, 3600


def number(value: float | None, decimals: int = 3) -> str:
    """0.789; a dash for None."""
    return UNKNOWN if value is None else f"{value:.{decimals}f}".replace("-", "−")


def signed(value: float | None, decimals: int = 3) -> str:
    """+0.118, −0.021 or 0.000."""
    if value is None:
        return UNKNOWN
    rounded = round(value, decimals) or 0.0
    return f"{rounded:+.{decimals}f}".replace("-", "−") if rounded else f"{0:.{decimals}f}"


def count(value: float | None) -> str:
    """1 234 567, with narrow spaces that do not break."""
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", _THIN_SPACE)


def p_value(value: float | None) -> str:
    """0.012, or "< 0.001" where more digits would promise too much."""
    if value is None:
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """95 s, 12 min, 3.4 h."""
    if seconds is None:
        return UNKNOWN
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


def plain(value: object) -> str:
    """A configuration value as one would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{words(str(name))} {plain(each)}" for name, each in value.items()) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def words(name: str) -> str:
    """A name of the code as words: unseen_song → unseen song."""
    return name.replace("_", " ")


def coded(text: str) -> Markup:
    """A message with what stands in `backticks` as code, all of it escaped."""
    parts = text.split("`")
    closed = len(parts) % 2 == 1
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if closed and number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
