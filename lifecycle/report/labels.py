"""What the report calls the names of the code, and what they mean."""

from lifecycle.report.figures import words

METRICS = {
    "top1": "Top-1",
    "top5": "Top-5",
    "mrr": "MRR",
    "ndcg_at_10": "nDCG@10",
    "recall_at_20": "recall@20",
}

REGIMES = {
    "unseen_song": ("Unseen songs", "not trained on, ranked among the playlists it knows"),
    "unseen_playlist": ("Unseen playlists", "songs it was trained on, playlists held out whole"),
    "both_unseen": ("Both unseen", "neither the song nor the playlist was trained on"),
    "later": ("Later songs", "the newest tenth by the date they were added"),
}

SPLITS = {
    "train": ("Training", "what the weights were fitted to"),
    "development": ("Development, songs", "chose checkpoint and coefficient"),
    "development_playlist": ("Development, playlists", "chose checkpoint and coefficient"),
    "aside": ("Aside", "used for nothing, so that nothing overlaps"),
    **{name: (title, "tested on") for name, (title, _) in REGIMES.items()},
}

SIGNALS = {
    "text": "playlist text",
    "centroid": "centroid of its songs",
    "nearest": "nearest of its songs",
    "lexical": "words",
    "artist": "artists",
    "album": "albums",
    "genre": "genres",
    "language": "languages",
    "era": "years",
    "acoustic": "audio features",
    "emotion": "emotions",
}

TIERS = ("vectors", "metadata", "audio", "deep")

BASELINES = {
    "popularity": "popularity",
    "tfidf_nearest": "TF-IDF, nearest songs",
    "tfidf_logistic": "TF-IDF, logistic",
    "audio_forest": "audio forest",
    "combined": "TF-IDF and audio",
}

RULES = {
    "artifact": "Artifact is the registered one",
    "coverage": "Coverage is complete",
    "index": "Index is whole and finds what it should",
    "leak": "No leak: nothing tested on was trained on",
    "overall": "Better overall",
    "evaluation": "Evaluation not worse",
    "genres": "No genre significantly worse",
    "unseen_playlists": "Unseen playlists no worse than the base",
    "golden": "Golden cases kept",
    "general_similarity": "General similarity kept",
    "quarantine": "Few songs set aside",
    "servers": "Held ready by every server",
    "parallel_run": "Enough compared beside the live version",
    "likeness": "Answers have something in common with the live version's",
    "latency": "No slower beside the live version",
    "failures": "No more failures beside the live version",
    "agreement": "Users do not prefer the live version",
}

DEVELOPMENT = {"development": "unseen songs", "development_playlist": "unseen playlists", "mean": "mean of both"}


def regime_title(name: str) -> str:
    """The heading of a regime."""
    return REGIMES.get(name, (_sentence(name), ""))[0]


def regime_meaning(name: str) -> str:
    """What a regime asks, in a few words."""
    return REGIMES.get(name, ("", ""))[1]


def split_title(name: str) -> str:
    """What a split is called."""
    return SPLITS.get(name, (_sentence(name), ""))[0]


def split_meaning(name: str) -> str:
    """What a split is for."""
    return SPLITS.get(name, ("", ""))[1]


def baseline_title(name: str) -> str:
    """What a baseline does."""
    return BASELINES.get(name, words(name))


def rule_title(name: str) -> str:
    """What a rule of the gate asks for."""
    return RULES.get(name, _sentence(name))


def _sentence(name: str) -> str:
    said = words(name)
    return said[:1].upper() + said[1:]
