"""Writes the golden files of SentencePiece: small models trained by Google's library on this repository's own sentences, and the ids that it gives.

Ran on Debian 12's python3-sentencepiece 0.1.97: /usr/bin/python3 make_sentencepiece.py. The sentences and the difficult strings are those of make_golden.py.
"""

import json
import pathlib
import tempfile

import sentencepiece

from make_golden import DIFFICULT, SENTENCES

HERE = pathlib.Path(__file__).parent / "sentencepiece"

# Runs in which merges of equal score meet, spaces at the ends, characters that no piece has, pieces that look like control and byte pieces, words that break a rule.
TEXTS = DIFFICULT + [
    "====", "=" * 37, "-----", "#" * 9, "....." * 3, "!!!!!!!", "((((", "    x    y  ", "q", "Z", "\u2581", "a\u2581b", "<s>", "</s>", "<unk>", "a<s>b</s>", "<0x41>", "<0x0A><0xFF>", "<mark>", "a<mark>b <mark>",
    "<mark><mark>x", "mississippi", "banana bananas", "aaaaaaaaaaaaa", "ababab ababab", "line one\nline two\n\n\tline three", "tab\tbed", "1234567", "The cat's toys weren't there.", "\u4e00\u9fff", "x\U0001f600y",
    "\uff21\uff22\uff23", "ﬁne ﬂow", "a\u00a0b\u3000c", "straße", "naïve café", "trailing   ", "   leading", "...\u2026...",
] + SENTENCES.split("\n")

# So that the models have pieces for runs of one character, where merges of equal score meet.
RUNS = [" ".join(character * length for length in (2, 4, 8, 16, 3, 5)) for character in "=-.#! "] * 4

# A normalization of our own, since the published ones add 240 KB to a model: full width to ASCII, ligatures, spaces of other kinds, two characters to one, one to none.
RULES = [("Ａ", "A"), ("Ｂ", "B"), ("Ｃ", "C"), ("ﬁ", "fi"), ("ﬂ", "fl"), ("\u00a0", " "), ("\u3000", " "), ("\t", " "), ("\n", " "), ("…", "..."), ("e\u0301", "é"), ("\u200b", ""), ("ß", "ss")]

COMMON = dict(character_coverage=0.98, hard_vocab_limit=False, num_threads=1, minloglevel=2, max_sentence_length=4192)
MODELS = {
    # As Llama 2's: no normalization, bytes for what is not known, digits apart.
    "llama": dict(model_type="bpe", vocab_size=640, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True),
    # As Gemma's: no dummy prefix, symbols of the user's.
    "gemma": dict(model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
                  user_defined_symbols=["<mark>", "  ", "\n\n"]),
    # As OpenLLaMA's: a normalization, extra spaces removed, unknown characters stay unknown.
    "normalized": dict(model_type="bpe", vocab_size=400, rules=True),
    "unigram": dict(model_type="unigram", vocab_size=400, rules=True, user_defined_symbols=["<mark>"]),
    "unigram_bytes": dict(model_type="unigram", vocab_size=640, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
}


def train(name, options, folder):
    options = dict(options)
    if options.pop("rules", False):
        path = folder / "rules.tsv"
        path.write_text("".join(f"{' '.join(f'{ord(c):X}' for c in source)}\t{' '.join(f'{ord(c):X}' for c in target)}\n" for source, target in RULES), encoding="utf-8")
        options["normalization_rule_tsv"] = str(path)
    prefix = folder / name
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter([line for line in (SENTENCES * 3).split("\n") + RUNS if line]), model_prefix=str(prefix), **COMMON, **options)
    return pathlib.Path(f"{prefix}.model").read_bytes()


def main():
    expected = {"texts": TEXTS, "models": {}}
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, options in MODELS.items():
            model = train(name, options, pathlib.Path(folder))
            (HERE / f"{name}.model").write_bytes(model)
            processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            ids = [processor.encode(text) for text in TEXTS]
            expected["models"][name] = {"ids": ids, "decoded": [processor.decode(row) for row in ids]}
            print(name, len(model), processor.vocab_size(), sum(map(len, ids)))
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=True, separators=(",", ":")).replace('},"', '},\n"'), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
