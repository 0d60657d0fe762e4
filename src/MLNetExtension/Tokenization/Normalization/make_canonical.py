"""Writes canonical.txt: what Unicode's canonical composition (NFC) needs, from Python's own tables.

Ran on Python 3.11.7, whose unicodedata is Unicode 14.0. Entries, in hexadecimal code points, twelve a line:
  C composite first second   the pair composes to the composite, and the composite decomposes to the pair
  D character parts          the character decomposes, and nothing composes to it
  O first last class         the characters from first to last have this combining class (decimal)
Hangul syllables are arithmetic and not listed.
"""

import pathlib
import sys
import unicodedata


def main():
    entries = []
    run = None
    for code in range(sys.maxunicode + 1):
        if 0xAC00 <= code <= 0xD7A3 or 0xD800 <= code <= 0xDFFF:
            continue
        character = chr(code)
        decomposition = unicodedata.decomposition(character)
        if decomposition and not decomposition.startswith("<"):
            both_ways = unicodedata.normalize("NFC", unicodedata.normalize("NFD", character)) == character
            entries.append(f"{'C' if both_ways else 'D'} {code:04X} {decomposition}")
        combining = unicodedata.combining(character)
        if run and combining == run[2] and code == run[1] + 1:
            run[1] = code
            continue
        if run and run[2]:
            entries.append(f"O {run[0]:04X} {run[1]:04X} {run[2]}")
        run = [code, code, combining]
    lines = [f"# Unicode {unicodedata.unidata_version}, written by make_canonical.py"]
    lines += [";".join(entries[i:i + 12]) for i in range(0, len(entries), 12)]
    text = "\n".join(lines) + "\n"
    (pathlib.Path(__file__).parent / "canonical.txt").write_text(text, encoding="ascii")


main()
