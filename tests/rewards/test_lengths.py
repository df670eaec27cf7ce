import subprocess
import sys

import pytest

from rlrewards import Sample, SoftOverlong
from rlrewards.rewards.lengths import lengths_tokens

# One reward stands for all that count tokens: they share the code.
reward = SoftOverlong(max_length=4, buffer=2, length="words")


def lengths(samples, length=None):
    return lengths_tokens(samples, length, "Example")


def ten(text):
    return 10


class TestTokenIds:
    def test_they_win_over_length(self):
        assert lengths([Sample("a b c", token_ids=[1])], "words") == [1]

    def test_empty_ids_are_a_length_of_zero(self):
        assert lengths([Sample("a b c", token_ids=[])], "words") == [0]

    def test_an_array_is_taken(self):
        numpy = pytest.importorskip("numpy")
        assert lengths([Sample("", token_ids=numpy.arange(5))]) == [5]


class TestWithoutTokenIds:
    def test_characters_are_never_passed_off_as_tokens(
        self,
    ):  # open-r1 divides characters by tokens
        with pytest.raises(
            ValueError, match=r"Example counts tokens, and sample 1 .*token_ids.*length"
        ):
            lengths([Sample("a", token_ids=[1]), Sample("a" * 100)])

    def test_words(self):
        assert lengths([Sample(" a\tb\r\nc "), Sample(""), Sample("\x00 \ud800")], "words") == [
            3,
            0,
            2,
        ]

    def test_a_function_of_the_text(self):
        assert lengths([Sample("whatever")], ten) == [10]

    @pytest.mark.parametrize("wrong", [1.5, None, "3", True, -1])
    def test_a_function_that_counts_nothing(self, wrong):
        with pytest.raises(TypeError, match=r"whole number >= 0"):
            lengths([Sample("a")], lambda text: wrong)


class TestParameter:
    @pytest.mark.parametrize("length", ["characters", "tokenizer:", "", "Words"])
    def test_unknown_names(self, length):
        with pytest.raises(
            ValueError, match=r"allowed: \"words\", \"tokenizer:PATH\", or a function"
        ):
            SoftOverlong(max_length=4, buffer=2, length=length)

    def test_wrong_type(self):
        with pytest.raises(TypeError, match=r"length=3; allowed"):
            SoftOverlong(max_length=4, buffer=2, length=3)

    def test_words_in_a_reward(self):
        assert reward([Sample("a b"), Sample("a b c"), Sample("a b c d"), Sample("a b c d e")]) == [
            0.0,
            -0.5,
            -1.0,
            -1.0,
        ]


class TestTokenizer:
    @pytest.fixture
    def folder(self, tmp_path):
        tokenizers = pytest.importorskip("tokenizers")
        tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({"a": 0, "b": 1, "[UNK]": 2}, unk_token="[UNK]")
        )
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.enable_truncation(max_length=2)
        tokenizer.enable_padding(length=8)
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    def test_a_folder_and_a_file(self, folder):
        for path in (folder, folder / "tokenizer.json"):
            assert lengths([Sample("a b c a"), Sample("")], f"tokenizer:{path}") == [4, 0]

    def test_truncation_and_padding_of_the_file_do_not_count(self, folder):
        assert lengths([Sample("a " * 20)], f"tokenizer:{folder}") == [20]

    def test_hostile_texts(self, folder):
        texts = ["\ud800 a", "\x00", "a" * 10**6, "\u200b"]
        found = lengths([Sample(text) for text in texts], f"tokenizer:{folder}")
        assert all(isinstance(n, int) and n >= 0 for n in found)

    def test_a_missing_path(self, tmp_path):
        pytest.importorskip("transformers")
        with pytest.raises(ValueError, match=r"no tokenizer there .* give a tokenizer.json"):
            lengths([Sample("a")], f"tokenizer:{tmp_path / 'nothing'}")

    def test_a_file_that_is_no_tokenizer(self, tmp_path):
        pytest.importorskip("tokenizers")
        (tmp_path / "tokenizer.json").write_text("{}")
        with pytest.raises(ValueError, match=r"is not a tokenizer file"):
            lengths([Sample("a")], f"tokenizer:{tmp_path}")

    @pytest.mark.parametrize("package", ["tokenizers", "transformers"])
    def test_a_missing_package(self, package, folder, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, package, None)
        (tmp_path / "other").mkdir()
        place = folder if package == "tokenizers" else tmp_path / "other"
        with pytest.raises(ImportError, match=rf"needs the package {package}: pip install"):
            lengths([Sample("a")], f"tokenizer:{place}")

    def test_it_is_loaded_at_first_use(self):
        code = (
            "import sys; from rlrewards import SoftOverlong;"
            "SoftOverlong(max_length=4, buffer=2, length='tokenizer:nowhere');"
            "assert not {'tokenizers', 'transformers', 'numpy'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
