"""Which unit wins: small cases whose order is known."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compressor.compress import compress
from services.compressor.context import build_context
from services.compressor.passage import CompressInput, Passage
from services.compressor.prepare import prepare
from services.compressor.prepared import pack
from services.compressor.scoring.bridge import BRIDGES
from services.compressor.scoring.cues import Ask, Cue, asks, capitalised, cues
from services.compressor.scoring.features import FEATURES, HOP_FEATURES, read_question, read_signals, z_scores
from services.compressor.scoring.score import hop_gate, score_units
from services.compressor.scoring.weights import MODEL, WEIGHTS_FILE, WeightsError, read_model
from services.compressor.units import split_units
from services.text.tokens import encoding_for

ENCODING = encoding_for("cl100k_base")
CORPUS = {
    "Fastnet lighthouse": "It stands on a rock. The present tower was built in 1904 of granite. Ships pass it often.",
    "Hook lighthouse": "It stands in Wexford. It is among the oldest in the world. Monks lit fires there.",
    "Gannet": "The gannet is a bird. It dives from thirty metres. Colonies are loud.",
    "Kilkenny": "Kilkenny is a city on the Nore. Its castle was rebuilt in 1195. It has a festival.",
}


def kept(question: str, corpus: dict[str, str], max_tokens: int) -> str:
    passages = tuple(Passage(title, title, text, "docs") for title, text in corpus.items())
    output = compress(CompressInput(question, None, passages, max_tokens, ENCODING, 2))
    return " ".join(passage.text[a:b] for passage, r in zip(passages, output.passages, strict=True) for a, b in r.spans)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("when was the fastnet lighthouse built", "1904", id="time-and-title"),
        pytest.param("how many metres does the gannet dive from", "thirty metres", id="number"),
        pytest.param("where is the hook lighthouse", "Wexford", id="place"),
        pytest.param("what was rebuilt in Kilkenny", "castle", id="thing"),
    ],
)
def test_the_answer_survives_a_tenth(question, answer):
    assert answer in kept(question, CORPUS, 26)


def test_the_second_hop_survives():
    corpus = {
        "The Grey Heron": "The Grey Heron is a novel. It was written by Maeve Tolan. Critics praised its calm pace.",
        "Maeve Tolan": "She was born in Galway. Her father was a baker. She liked tea and trains.",
        "Ita Moran": "She was born in Sligo. Her father was a painter. She liked rain and dogs.",
        "Nell Casey": "She was born in Tralee. Her father was a farmer. She liked maps and bread.",
    }
    text = kept("In which town was the author who wrote the novel The Grey Heron born as a child", corpus, 40)
    assert "Maeve Tolan" in text
    assert "Galway" in text
    assert "Sligo" not in text


def test_vectors_decide_where_words_cannot():
    texts = ["Alpha beta gamma delta.", "Epsilon zeta eta theta.", "Iota kappa lambda mu."]
    passages = []
    for row, text in enumerate(texts):
        vectors = np.eye(3, 8, dtype=np.float32)[[row]]
        data = pack(prepare("", text, split_units(text, "docs"), vectors, [ENCODING]))
        passages.append(Passage(str(row), "", text, "docs", data))
    question = np.eye(3, 8, dtype=np.float32)[2]
    request = CompressInput("unrelated words", question, tuple(passages), 14, ENCODING, 2)
    assert [bool(r.spans) for r in compress(request).passages] == [False, False, True]


def test_raw_passages_are_neutral_beside_prepared_ones():
    texts = ["Alpha beta gamma delta.", "Epsilon zeta eta theta.", "Iota kappa lambda mu."]
    vectors = [np.eye(1, 8, dtype=np.float32), None, -np.eye(1, 8, dtype=np.float32)]
    signals = [
        prepare("", text, split_units(text, "docs"), rows, [ENCODING])
        for text, rows in zip(texts, vectors, strict=True)
    ]
    question = read_question("unrelated words", np.eye(1, 8, dtype=np.float32)[0])
    scores = score_units(build_context(signals, "cl100k_base"), question, np.zeros(3))
    assert scores[0] > scores[1] > scores[2]


def test_the_retrieval_score_stands_in_for_vectors():
    texts = ["Alpha beta gamma delta.", "Epsilon zeta eta theta.", "Iota kappa lambda mu."]
    signals = [prepare("", text, split_units(text, "docs"), None, [ENCODING]) for text in texts]
    scores = score_units(
        build_context(signals, "cl100k_base"), read_question("unrelated words", None), np.array([0.1, 0.9, 0.2])
    )
    assert int(scores.argmax()) == 1


@pytest.mark.parametrize("question", ["", "the of and", "xyzzy", "東京"])
def test_a_question_that_says_nothing_still_gets_finite_scores(question):
    signals = [prepare(t, x, split_units(x, "docs"), None, [ENCODING]) for t, x in CORPUS.items()]
    scores = score_units(build_context(signals, "cl100k_base"), read_question(question, None), np.zeros(len(signals)))
    assert np.isfinite(scores).all()


def test_the_passages_order_does_not_matter_to_the_scores():
    signals = [prepare(t, x, split_units(x, "docs"), None, [ENCODING]) for t, x in CORPUS.items()]
    question = read_question("when was the tower built", None)
    forward = score_units(build_context(signals, "cl100k_base"), question, np.zeros(4))
    backward = score_units(build_context(signals[::-1], "cl100k_base"), question, np.zeros(4))
    np.testing.assert_allclose(np.sort(forward), np.sort(backward))


def test_the_weights_that_ship_are_those_that_score():
    data = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    for weights, stored in ((MODEL.with_vectors, "with_vectors"), (MODEL.without_vectors, "without_vectors")):
        assert weights.features.tolist() == [data[stored]["features"][name] for name in FEATURES]
        assert weights.hops.tolist() == [data[stored]["hops"][name] for name in HOP_FEATURES]
        assert weights.bridges.tolist() == [data[stored]["bridges"][name] for name in BRIDGES]
    assert MODEL.version == data["version"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda data: data.update(format=99), "format 99", id="format"),
        pytest.param(lambda data: data.pop("gate"), "gate", id="missing"),
        pytest.param(lambda data: data["with_vectors"]["features"].pop("lead"), "weights are of", id="a-name-less"),
        pytest.param(lambda data: data["with_vectors"]["bridges"].update(more=1), "weights are of", id="a-name-more"),
        pytest.param(lambda data: data["fill"].update(more=1), "more", id="an-unknown-constant"),
        pytest.param(
            lambda data: data["without_vectors"].update(
                features=dict(reversed(data["without_vectors"]["features"].items()))
            ),
            "weights are of",
            id="order",
        ),
        pytest.param(lambda data: data.update(gate=None), "not a file of weights", id="not-named"),
    ],
)
def test_weights_of_other_code_are_refused(change, message):
    data = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    change(data)
    with pytest.raises(WeightsError, match=message):
        read_model(json.dumps(data))


def test_a_file_that_is_not_json_is_refused():
    with pytest.raises(WeightsError):
        read_model("{")


def test_the_gate_moves_the_weights_of_the_cosines_and_no_others():
    columns = np.eye(len(FEATURES))
    single, several = (MODEL.with_vectors.first_look(columns, hops) for hops in (0.0, 1.0))
    moved = {name for name, before, after in zip(FEATURES, single, several, strict=True) if before != after}
    assert moved == set(HOP_FEATURES)


def test_what_all_units_have_in_common_does_not_count():
    common, own, other = np.eye(3, 8, dtype=np.float32)
    vectors = np.array([0.95 * common + 0.1 * own, 0.95 * common + 0.1 * other, common, common])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    signals = [
        prepare("", text, split_units(text, "docs"), row[None], [ENCODING])
        for text, row in zip(["Alpha.", "Beta.", "Gamma.", "Delta."], vectors, strict=True)
    ]
    question = read_question("unrelated words", (0.9 * common + 0.3 * own) / np.linalg.norm(0.9 * common + 0.3 * own))
    cosines = read_signals(build_context(signals, "cl100k_base"), question, np.zeros(4)).columns[
        :, FEATURES.index("cosine")
    ]
    assert int(cosines.argmax()) == 0
    assert cosines[0] - cosines[2] > 1


def test_a_signal_that_does_not_vary_says_nothing():
    columns = z_scores(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(columns, [[-1, 0], [1, 0]])


def test_signals_are_z_scored_inside_the_context():
    signals = [prepare(t, x, split_units(x, "docs"), None, [ENCODING]) for t, x in CORPUS.items()]
    columns = read_signals(
        build_context(signals, "cl100k_base"), read_question("when was it built", None), np.zeros(4)
    ).columns
    varying = columns.std(axis=0) > 0
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(columns[:, varying].std(axis=0), 1)


def test_long_questions_that_no_passage_covers_look_like_several_hops():
    likely = [hop_gate(terms, coverage, MODEL.gate) for terms, coverage in ((4, 1.0), (8, 1.0), (8, 0.3))]
    assert likely == sorted(set(likely))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It opened in 1874.", Cue.NUMBER | Cue.YEAR, id="year"),
        pytest.param("It opened on 3 May.", Cue.NUMBER | Cue.DATE, id="month"),
        pytest.param("Twelve keepers lived there.", Cue.NUMBER, id="number-word"),
        pytest.param("She lived in the Hague.", Cue.PLACE, id="place"),
        pytest.param("She lived in the\u00a0Hague from 1874.", Cue.PLACE | Cue.NUMBER | Cue.YEAR, id="not-ascii"),
        pytest.param("No 18745, in hague", Cue.NUMBER, id="five-digits-are-no-year"),
        pytest.param("Nothing here.", Cue(0), id="none"),
    ],
)
def test_cues(text, expected):
    assert cues(text) == expected


@given(
    st.lists(st.sampled_from([*"aZ 1.-/\n\t\v\x1c\x1f_,", "in", "the", "The", "of ", "May", "two", "TWO", "2001"])).map(
        "".join
    )
)
def test_ascii_text_has_the_cues_that_it_has_beside_other_letters(text):
    assert cues(text) == cues(f"{text} \u2013")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("When did it open?", Ask.TIME, id="when"),
        pytest.param("in what year did it open", Ask.TIME | Ask.THING, id="what-year"),
        pytest.param("how many keepers", Ask.COUNT, id="how-many"),
        pytest.param("Who kept it?", Ask.PERSON, id="who"),
        pytest.param("which city is it in", Ask.LOCATION | Ask.THING, id="which-city"),
        pytest.param("keepers of the light", Ask(0), id="keywords"),
    ],
)
def test_asks(question, expected):
    assert asks(question) == expected


def test_capitalised_words_of_any_script():
    assert capitalised("Ada met Émile O'Hara and the élan of 東京") == ["Ada", "Émile", "O'Hara", "東京"]


def test_a_request_is_a_value():
    request = CompressInput("q", None, (), 10, ENCODING, 2)
    assert dataclasses.replace(request) == request
    assert compress(request).passages == ()
