"""Writes the golden files of the byte-level tokenizers: a byte-pair encoder of its own, from the definitions in the papers, and nothing but Python's library.

Ran on Python 3.11.7 (Unicode 14.0). It trains one small vocabulary per style on the sentences below, writes it as tokenizer.json in that style's form, and
encodes the difficult strings with it: expected.json has, for every style, the merges and the ids.

Sources: R. Sennrich et al. 2016 (byte-pair encoding), A. Radford et al. 2019 (bytes as characters, the first pattern), the published tokenizer.json files of GPT-2, Llama 3 and
Qwen 2 (the forms and the other two patterns).
"""

import hashlib
import json
import pathlib
import re
import sys
import unicodedata

HERE = pathlib.Path(__file__).parent

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

SENTENCES = """
The cat's toys weren't where they'd left them; we've looked, I'm sure they'll turn up. THEY'RE HERE, AREN'T THEY?
In 2024 the price rose from 1,234.56 to 98765 and then to 1000000, said the report of 31 December 2023.
def encode(text):\n    ids = []\n    for word in words(text):\n        ids.extend(merge(word))\n    return ids\n
The model reads the tokens of the text and the loss of the model is the mean of the loss of the tokens.
Größe und Übermut, die Straße führt über die Brücke: ähnlich, öfter, natürlich.
Où est la bibliothèque ? L'été dernier, c'était très agréable.
El niño comió mañana; ¿dónde está el baño? ¡Qué alegría!
Привет, мир! Как дела? Хорошо, спасибо. Москва и Новгород.
Γειά σου Κόσμε, καλημέρα σας.
שלום עולם, מה שלומך היום?
مرحبا بالعالم، كيف حالك اليوم؟
नमस्ते दुनिया, आप कैसे हैं?
日本語の文章を読む。私は東京に住んでいます。漢字とひらがなとカタカナ。
你好，世界！今天天气很好。我们一起去北京。
안녕하세요 세계, 오늘 날씨가 좋네요. 한국어를 배웁니다.
สวัสดีชาวโลก วันนี้อากาศดี
Xin chào thế giới, hôm nay trời đẹp quá.
😀 😀😀 hello 👩‍👩‍👧 family 🏳️‍🌈 flag 👍🏽 ok 🇩🇪🇫🇷
\t\tindented\twith tabs\t and   spaces    and\n\n\nblank lines\r\nwindows\r\n\r\n
hello hello hello world world the the the of of of and and and in in in to to to
1 12 123 1234 12345 ½ ¼ ² ³ Ⅷ ① ٣٤ १२३
"""

DIFFICULT = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\r\n", "\t", " \t \t", "a", " a", "a ", "  a", "   a  ", "a\n", "a\n\n b", "\n  a", "  \n  a", "a \n\n  b",
    "I'm, you're, we've, it's, don't, they'll, he'd", "I'M YOU'RE WE'VE IT'S DON'T THEY'LL HE'D", "'S'T'RE'VE'M'LL'D's't're've'm'll'd", "'", "''s", "'\u017f it\u2019s '\u017ft",
    "x'y'z 'tis", "1", "12", "123", "1234", "12345", "1234567890123", "3.14159", "1,000,000", "abc123def456", "٣٤٥٦", "½¼²³Ⅷ①", "𝟙𝟚𝟛𝟜𝟝", "a𝟙𝟚𝟛𝟜b",
    "日本語の文章", "你好，世界！", "안녕하세요", "สวัสดี", "नमस्ते दुनिया", "مرحبا بالعالم", "שלום עולם", "Привет мир", "Größe Übermut", "𠀀𠀁漢字", "x𠀀y", "𝒳𝒴 𝒵", "𐐨𐐩 𐐀",
    "😀", "😀hello", " 😀hello", "hello😀", "😀😀 😀", "👩‍👩‍👧", "🏳️‍🌈flag", "👍🏽👍", "🇩🇪🇫🇷🇯🇵", "a😀b😀c", "😀1", "😀\n", "😀\n\nx",
    "e\u0301", "é", "e\u0301te\u0301", "\u0301", " \u0301a", "\u1100\u1161\u11a8", "각", "\u2126 \u212b \uf900", "a\u0323\u0307 a\u0307\u0323", "\u0344", "\u0958", "\u1e9b\u0323",
    "foo.bar(baz)", "!!!", "?!\n", "...\r\n\r\n", " -- ", "$100", "C++ & C#", "a_b", "___", "#\t#", "http://x.y/z?q=1&r=%20",
    "\u00a0", "a\u00a0b", "\u3000全角", "\u2003x", "\u2028", "\u0085", "a\u0085\u0085b", "\u200b\u200bx", "\ufeffx", "\u0000", "a\u0000b", "\u001c\u001fx", "\x7f", "\u0080",
    "\U0010ffff", "\ue000\U000f0000", "\ufffd", "the the the", "hello world", "hello", " hello", " world", "THEY", "tokens of the model",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext|", "<<|endoftext|>>", "x<|end|>y", "<|end|><|endoftext|>",
    "<|im_start|>user\nhi<|im_end|>\n", "<|begin_of_text|>hi<|eot_id|>", "<tool_call>\n{}</tool_call>", "e\u0301<|im_end|>\u0338", "<tool\u0301_call>",
    "def f(x):\n    return x  # done\n\n\n", "\t\tif a:\n\t\t\tb()\n", "a\r\nb\r\n\r\nc", "x" * 100, " " * 40 + "x", "ab" * 33, "\n" * 9 + "z",
]


def classes():
    """Regular-expression classes of code points for letters, numbers and white space, from the categories of Unicode."""
    white = [0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]

    def ranges(codes):
        text, run = "", None
        for code in codes:
            if run and code == run[1] + 1:
                run[1] = code
                continue
            if run:
                text += f"\\U{run[0]:08x}-\\U{run[1]:08x}"
            run = [code, code]
        return text + f"\\U{run[0]:08x}-\\U{run[1]:08x}"

    of = {kind: ranges(c for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == kind) for kind in "LN"}
    return of["L"], of["N"], ranges(white)


LETTERS, NUMBERS, WHITE = classes()


def splitter(pattern):
    """Python's re has no \\p{...}; and its \\s has four separators that are no white space in Unicode."""
    # In a class the ranges stand as they are, outside they need brackets of their own.
    out, inside, at = "", False, 0
    while at < len(pattern):
        for name, codes in ((r"\p{L}", LETTERS), (r"\p{N}", NUMBERS), (r"\s", WHITE), (r"\S", None)):
            if pattern.startswith(name, at):
                out += f"[^{WHITE}]" if codes is None else codes if inside else f"[{codes}]"
                at += len(name)
                break
        else:
            inside = pattern[at] == "[" or (inside and pattern[at] != "]")
            out += pattern[at]
            at += 1
    return re.compile(out)


def byte_characters():
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters = {value: chr(value) for value in visible}
    for value in range(256):
        if value not in characters:
            characters[value] = chr(256 + len(characters) - len(visible))
    return characters


BYTES = byte_characters()


def spell(word):
    return "".join(BYTES[value] for value in word.encode("utf-8"))


def train(words, size):
    """The most frequent pair first; of equals the one with the smaller left id, then right id; no token is made twice."""
    tokens = sorted(BYTES.values())
    ids = {token: index for index, token in enumerate(tokens)}
    merges = []
    corpus = {}
    for word in words:
        corpus[spell(word)] = corpus.get(spell(word), 0) + 1
    corpus = [(list(word), count) for word, count in corpus.items()]
    passed = set()
    while len(tokens) < size:
        counts = {}
        for word, count in corpus:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + count
        best = min((pair for pair in counts if pair not in passed), key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        if counts[best] < 2:
            break
        token = best[0] + best[1]
        if token in ids:
            passed.add(best)
            continue
        ids[token] = len(tokens)
        tokens.append(token)
        merges.append(best)
        corpus = [(apply(word, best), count) for word, count in corpus]
    return tokens, merges


def apply(word, pair):
    out, at = [], 0
    while at < len(word):
        if tuple(word[at:at + 2]) == pair:
            out.append(word[at] + word[at + 1])
            at += 2
        else:
            out.append(word[at])
            at += 1
    return out


class Encoder:
    def __init__(self, pattern, vocabulary, merges, added, compose, ignore_merges):
        self.split = splitter(pattern)
        self.vocabulary, self.added, self.compose, self.ignore_merges = vocabulary, added, compose, ignore_merges
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}

    def word(self, text):
        spelt = spell(text)
        if self.ignore_merges and spelt in self.vocabulary:
            return [self.vocabulary[spelt]]
        parts = list(spelt)
        while True:
            ranked = [(self.ranks[pair], at) for at, pair in enumerate(zip(parts, parts[1:])) if pair in self.ranks]
            if not ranked:
                return [self.vocabulary[part] for part in parts]
            at = min(ranked)[1]
            parts[at:at + 2] = [parts[at] + parts[at + 1]]

    def plain(self, text):
        ids, end = [], 0
        for match in self.split.finditer(text):
            assert match.start() == end
            ids += self.word(match.group())
            end = match.end()
        assert end == len(text)
        return ids

    def cut(self, text, tokens, otherwise):
        """Leftmost, then longest."""
        if not text:
            return []
        found = [(text.index(token["content"]), -len(token["content"]), token) for token in tokens if token["content"] in text]
        if not found:
            return otherwise(text)
        start, length, token = min(found, key=lambda item: item[:2])
        return (otherwise(text[:start]) if start else []) + [token["id"]] + self.cut(text[start - length:], tokens, otherwise)

    def encode(self, text, content=False):
        added = [token for token in self.added if not (content and token["special"])]
        compose = (lambda part: unicodedata.normalize("NFC", part)) if self.compose else (lambda part: part)
        literal = [token for token in added if not token["normalized"]]
        normalized = [token for token in added if token["normalized"]]
        return self.cut(text, literal, lambda part: self.cut(compose(part), normalized, self.plain))


def added_token(index, content, special=True, normalized=False):
    return {"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True} | options


def split(pattern):
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            byte_level(add_prefix_space=False, use_regex=False),
        ],
    }


def styles():
    corpus = SENTENCES.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")
    for name, pattern in (("gpt2", GPT2), ("llama3", LLAMA3), ("qwen2", QWEN2)):
        words = splitter(pattern).findall(unicodedata.normalize("NFC", corpus) if name == "qwen2" else corpus)
        tokens, merges = train(words, 700)
        yield name, pattern, corpus, tokens, merges


def main():
    expected = {"texts": DIFFICULT, "styles": {}}
    for name, pattern, corpus, tokens, merges in styles():
        vocabulary = {token: index for index, token in enumerate(tokens)}
        model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False}
        root = {"version": "1.0", "truncation": None, "padding": None}
        post = byte_level(use_regex=True)
        count = len(tokens)
        normalizer = None
        prefix = []
        if name == "gpt2":
            # The published file has the mark in the vocabulary too, looks for it in normalized text, and names no type for its model.
            vocabulary["<|endoftext|>"] = count
            added = [added_token(count, "<|endoftext|>", normalized=True), added_token(count + 1, "<|end", normalized=True)]
            model = {"dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False}
            pre = byte_level(add_prefix_space=False)
            configuration = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "add_prefix_space": False}
        elif name == "llama3":
            # Words that are tokens, which no merge makes.
            for word in ("THEY", "Größe", "Привет", "tokens"):
                assert spell(word) not in vocabulary
                vocabulary[spell(word)] = len(vocabulary)
            marks = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
            added = [added_token(len(vocabulary) + index, mark) for index, mark in enumerate(marks)]
            model["ignore_merges"] = True
            pre = split(pattern)
            start = added[0]["id"]
            prefix = [start]
            template = {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": marks[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"SpecialToken": {"id": marks[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": marks[0], "type_id": 1}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {marks[0]: {"id": marks[0], "ids": [start], "tokens": [marks[0]]}},
            }
            post = {"type": "Sequence", "processors": [byte_level(trim_offsets=False), template]}
            configuration = {
                "bos_token": marks[0], "eos_token": "<|eot_id|>", "clean_up_tokenization_spaces": True,
                "chat_template": "{% for message in messages %}{{ bos_token if loop.first }}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
                                 "message['content'] | trim + '<|eot_id|>' }}{% endfor %}",
            }
        else:
            marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
            added = [added_token(count + index, mark) for index, mark in enumerate(marks)]
            added += [added_token(count + 3, "<tool_call>", special=False), added_token(count + 4, "</tool_call>", special=False)]
            normalizer = {"type": "NFC"}
            pre = split(pattern)
            post = byte_level(add_prefix_space=False, trim_offsets=False, use_regex=False)
            configuration = {
                "add_bos_token": False, "bos_token": None, "eos_token": {"__type": "AddedToken", "content": "<|im_end|>", "special": True}, "pad_token": "<|endoftext|>",
                "chat_template": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}",
            }
        model["vocab"] = vocabulary
        # The two forms in which merges are published.
        model["merges"] = [list(pair) for pair in merges] if name == "llama3" else [" ".join(pair) for pair in merges]
        root |= {"added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post, "decoder": byte_level(), "model": model}
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        dump(folder / "tokenizer.json", root)
        dump(folder / "tokenizer_config.json", configuration)

        encoder = Encoder(pattern, vocabulary, merges, added, normalizer is not None, model.get("ignore_merges", False))
        expected["styles"][name] = {
            "prefix": prefix,
            "ids": [encoder.encode(text) for text in DIFFICULT],
            "content": [encoder.encode(text, content=True) for text in DIFFICULT],
        }
        expected["corpus"] = corpus
    expected["composed"] = composed()
    dump(HERE / "expected.json", expected)


def composed():
    """A digest of every character in form C, by itself and before and behind marks and letters that take part in compositions. Beyond U+2FFFF nothing composes."""
    digest = hashlib.sha256()
    for code in range(0x30000):
        if not 0xD800 <= code <= 0xDFFF:
            for text in (chr(code), f"e{chr(code)}\u0301", f"{chr(code)}\u0323\u0307", f"{chr(code)}\u0301\u11a8", f"\u0b47{chr(code)}"):
                digest.update(unicodedata.normalize("NFC", text).encode("utf-8"))
    return digest.hexdigest()


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
