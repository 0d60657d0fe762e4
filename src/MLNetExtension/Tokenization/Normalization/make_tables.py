"""Writes what Unicode's normalization forms need, from Python's own tables: canonical.txt for NFC and NFD, and compatibility.txt besides for NFKC and NFKD.

Ran on Python 3.11.7, whose unicodedata is Unicode 14.0. Entries, in hexadecimal code points, twelve a line:
  C composite first second   the pair composes to the composite, and the composite decomposes to the pair
  D character parts          the character decomposes, and nothing composes to it
  O first last class         the characters from first to last have this combining class (decimal)
  K character parts          the character has these in place of it where only compatibility counts
Hangul syllables are arithmetic and not listed.
"""

import pathlib
import sys
import unicodedata


def main():
    entries, compatible = [], []
    run = None
    for code in range(sys.maxunicode + 1):
        if 0xAC00 <= code <= 0xD7A3 or 0xD800 <= code <= 0xDFFF:
            continue
        character = chr(code)
        decomposition = unicodedata.decomposition(character)
        if decomposition.startswith("<"):
            compatible.append(f"K {code:04X} {decomposition.split('> ')[1]}")
        elif decomposition:
            both_ways = unicodedata.normalize("NFC", unicodedata.normalize("NFD", character)) == character
            entries.append(f"{'C' if both_ways else 'D'} {code:04X} {decomposition}")
        combining = unicodedata.combining(character)
        if run and combining == run[2] and code == run[1] + 1:
            run[1] = code
            continue
        if run and run[2]:
            entries.append(f"O {run[0]:04X} {run[1]:04X} {run[2]}")
        run = [code, code, combining]
    write("canonical.txt", entries)
    write("compatibility.txt", compatible)


def write(name, entries):
    lines = [f"# Unicode {unicodedata.unidata_version}, written by make_tables.py"]
    lines += [";".join(entries[i:i + 12]) for i in range(0, len(entries), 12)]
    (pathlib.Path(__file__).parent / name).write_text("\n".join(lines) + "\n", encoding="ascii")


main()
