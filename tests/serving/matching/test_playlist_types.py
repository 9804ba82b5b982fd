"""A playlist's type: by its words, in several languages, else by its songs' sound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import Playlist
from serving.matching.playlist_types import DEFAULT_TYPE, HEURISTIC_WEIGHTS, detect_type


def type_of(name: str, description: str | None = None, **acoustic: float) -> str:
    return detect_type(Playlist(playlist_id="p", name=name, description=description), acoustic).name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Morning Workout", "workout"),
        ("GYM", "workout"),
        ("running 160 bpm", "workout"),
        ("Entrenamiento duro", "workout"),
        ("Musculation", "workout"),
        ("Chill Vibes", "chill"),
        ("lo-fi beats", "chill"),
        ("Ruhige Abende", "chill"),
        ("D\u00e9tente", "chill"),
        ("All the feels", "emotional"),
        ("Gro\u00dfe Gef\u00fchle", "emotional"),
        ("\u00c9motions", "emotional"),
        ("Emociones", "emotional"),
        ("Party!", "party"),
        ("Fiesta latina", "party"),
        ("F\u00eate", "party"),
        ("Wir feiern", "party"),
        ("Deep work", "focus"),
        ("Study with me", "focus"),
        ("Zum Lernen", "focus"),
        ("Para estudiar", "focus"),
        ("Konzentration", "focus"),
        ("Throwback Thursday", "nostalgic"),
        ("80s", "nostalgic"),
        ("Best of the 90's", "nostalgic"),
        ("Recuerdos", "nostalgic"),
        ("Souvenirs", "nostalgic"),
        ("Date Night", "romantic"),
        ("Amor", "romantic"),
        ("Chansons d'amour", "romantic"),
        ("Liebeslieder", "romantic"),
        ("Pure Energy", "energetic"),
        ("Punk", "energetic"),
        ("Get pumped", "energetic"),
        ("Pump it up", "energetic"),
        ("Sad songs", "melancholic"),
        ("M\u00e9lancolie", "melancholic"),
        ("Melancholie", "melancholic"),
        ("Canciones tristes", "melancholic"),
        ("Traurig", "melancholic"),
    ],
)
def test_words_tell_the_type(name: str, expected: str) -> None:
    assert type_of(name) == expected


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        ("workout", "Treino pesado|Allenamento|Hardlopen|Träning|夜の運動|跑步音乐|筋トレBGM|아침 운동"),
        ("chill", "Para dormir|Musica rilassante|Om te slapen|Lugn kväll|睡眠用|放松一下|힐링 음악"),
        ("emotional", "Emoções|Emozioni|Känslor|感動する歌|새벽 감성"),
        ("party", "Festa da firma|Feest|Fest med vänner|周末派对|パーティー|파티"),
        ("focus", "Estudos|Per studiare|Studeren|Plugga|読書と勉強|学习|밤 공부"),
        ("nostalgic", "Saudades|Ricordi|Herinneringen|Minnen|懐かしの曲|经典老歌|추억의 노래"),
        ("romantic", "Românticas|Canzoni d'amore|Liefde|Kärlek|恋愛ソング|情歌|사랑 노래"),
        ("energetic", "Energia|Energie|元気が出る曲|劲爆|신나는 노래"),
        ("melancholic", "Tristeza|Malinconia|Verdriet|Ledsen|悲しい曲|伤感的歌|슬픈 노래"),
    ],
)
def test_words_of_many_languages_tell_the_type(expected: str, names: str) -> None:
    assert {name: type_of(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), expected)


@pytest.mark.parametrize("name", ["En route", "Commute", "Driving at night", "Night train", "Trainspotting", "Tristan"])
def test_going_somewhere_is_of_no_type(name: str) -> None:
    assert type_of(name) == DEFAULT_TYPE


@pytest.mark.parametrize(
    "name",
    [
        "Brunch",
        "Patchwork",
        "Ravel",
        "Clubhouse",
        "Lovely",
        "Sadie",
        "Passport",
        "Crystal",
        "Department",
        "Glove",
        "Candlestick",
        "Travel",
        "Metallica",
        "My songs",
        "\u6b4c",
        "!!!",
    ],
)
def test_a_word_inside_another_is_no_sign(name: str) -> None:
    assert type_of(name) == DEFAULT_TYPE


@pytest.mark.parametrize(
    ("name", "not_type"),
    [
        ("Classical Piano", "nostalgic"),
        ("Pumpkin Spice Autumn", "energetic"),
        ("Feierabend", "party"),
        ("Feiertage", "party"),
    ],
)
def test_the_beginning_of_another_word_is_no_sign(name: str, not_type: str) -> None:
    assert type_of(name) != not_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1980s", "nostalgic"),
        ("Hits of the 1990's", "nostalgic"),
        ("90\u2019s", "nostalgic"),
        ("Gefu\u0308hle", "emotional"),
        ("Lo fi", "chill"),
    ],
)
def test_other_spellings_tell_the_type_too(name: str, expected: str) -> None:
    assert type_of(name) == expected


def test_workout_is_not_work_and_work_is_not_a_workout() -> None:
    assert type_of("Workout") == "workout"
    assert type_of("Music for work") == "focus"
    assert type_of("Music for workouts") == "workout"


def test_the_description_counts_too() -> None:
    assert type_of("Mondays", "To relax and unwind after the day") == "chill"


def test_the_type_with_most_words_wins_and_the_first_of_equals() -> None:
    assert type_of("Party", "sad, lonely and rainy") == "melancholic"
    assert type_of("Workout party") == "workout"


@pytest.mark.parametrize(
    ("energy", "valence", "expected"),
    [
        (0.8, 0.1, "energetic"),
        (0.95, 0.9, "energetic"),
        (0.35, 0.3, "melancholic"),
        (0.1, 0.1, "melancholic"),
        (0.35, 0.31, "chill"),
        (0.5, 0.5, DEFAULT_TYPE),
        (0.79, 0.5, DEFAULT_TYPE),
        (0.36, 0.1, DEFAULT_TYPE),
    ],
)
def test_without_words_the_sound_tells_the_type(energy: float, valence: float, expected: str) -> None:
    assert type_of("My songs", energy=energy, valence=valence) == expected


@pytest.mark.parametrize("acoustic", [{}, {"energy": 0.9}, {"valence": 0.1}])
def test_half_of_the_sound_tells_nothing(acoustic: dict[str, float]) -> None:
    assert type_of("My songs", None, **acoustic) == DEFAULT_TYPE


def test_words_go_before_sound() -> None:
    assert type_of("Lullabies to sleep", energy=0.95, valence=0.9) == "chill"


@given(st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_every_playlist_has_a_type_that_has_weights(name: str, energy: float, valence: float) -> None:
    playlist = Playlist.model_construct(playlist_id="p", name=name, description=None)
    found = detect_type(playlist, {"energy": energy, "valence": valence})
    assert found.name in HEURISTIC_WEIGHTS
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.confidence == max(found.shares.values())


def test_a_playlist_of_one_type_is_certain_and_one_of_two_is_shared() -> None:
    assert detect_type(Playlist(playlist_id="p", name="Gym"), {}).shares == {"workout": 1.0}
    both = detect_type(Playlist(playlist_id="p", name="Chill", description="after the party"), {})
    assert both.name == "chill"
    assert dict(both.shares) == pytest.approx({"chill": 2 / 3, "party": 1 / 3})
    assert both.confidence == pytest.approx(2 / 3)


def test_what_is_ambiguous_blends_the_weights() -> None:
    both = detect_type(Playlist(playlist_id="p", name="Chill", description="after the party"), {})
    between = (HEURISTIC_WEIGHTS["chill"].semantic * 2 + HEURISTIC_WEIGHTS["party"].semantic) / 3
    assert both.blended(HEURISTIC_WEIGHTS) == pytest.approx(between)


def test_a_type_told_by_sound_alone_is_uncertain() -> None:
    loud = detect_type(Playlist(playlist_id="p", name="My songs"), {"energy": 0.9, "valence": 0.5})
    assert loud.confidence == pytest.approx(0.6)
    assert HEURISTIC_WEIGHTS["energetic"].semantic < loud.blended(HEURISTIC_WEIGHTS) < 0.5


def test_weights_are_shares_of_one() -> None:
    for weights in HEURISTIC_WEIGHTS.values():
        assert weights.semantic + weights.acoustic == pytest.approx(1)
    assert HEURISTIC_WEIGHTS["workout"].acoustic > HEURISTIC_WEIGHTS["melancholic"].acoustic
