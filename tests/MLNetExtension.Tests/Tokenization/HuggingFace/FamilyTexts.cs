namespace MLNetExtension.Tests.Tokenization.HuggingFace;

/// <summary>Generated texts that tell tokenizers apart: every script, code, runs of white space, and special tokens that are written out.</summary>
internal static class FamilyTexts
{
    private static readonly string[] Scripts =
    [
        "Größe und Übermut", "Привет, мир", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "বাংলা ভাষা", "தமிழ் மொழி", "ไทยสวัสดี", "ລາວ", "မြန်မာ", "ខ្មែរ", "ქართული", "Հայերեն", "አማርኛ", "日本語の文章", "中文字符", "한국어 문장",
        "ភាសា", "𝒳𝓎𝔷", "𠀀𠀁", "😀👩‍👩‍👧🏳️‍🌈", "e\u0301a\u0323\u0307", "\u1100\u1161\u11A8", "ﬁne ﬂow", "ＡＢＣ１２３", "①②½", "…", "ﷺ", "İIıi", "ẞß", "ΑΣ ΟΔΟΣ", "\u00A0x\u3000y", "z\u200Bz", "\u0600 5", "कि", "क्ष",
    ];

    private static readonly string[] Code =
    [
        "def f(x):\n    return x ** 2\n", "if (a == b && c != d) { return; }", "\tfor (int i = 0; i < 10; i++)\n\t\tsum += i;\r\n", "SELECT * FROM t WHERE a='b';", "<html><body class=\"x\">&amp;</body></html>", "=====", "-----", "/* .... */", "{\"a\": [1, 2.5e-3]}",
        "https://example.org/a?b=c#d", "C:\\temp\\x", "$x^2_{ij}$", "a-b_c.d",
    ];

    private static readonly string[] Spaces = [" ", "  ", "   ", "        ", "\t", "\n", "\n\n", "\r\n", " \n ", "\u00A0", "\u3000", "\u2028", "\u0085", "▁", "▁▁"];

    private static readonly string[] Marks =
    [
        "<s>", "</s>", "<unk>", " </s> ", "<s><s>", "<|user|>", "<|end|>", " <|end|>\n", "<start_of_turn>", "<extra_id_0>", "  <extra_id_0>", "<|endoftext|>", "<|end", "<0x41>", "<0xE4>", "<0x0A>", "word", " word ", "words", "the cat", "[INST]", "<s", "/s>", "\0", "\u0001",
    ];

    /// <summary>Texts, the same in every run.</summary>
    public static IEnumerable<string> Make(int count, int seed)
    {
        var random = new Random(seed);
        string[] corpus = Golden.Corpus.Split(' ');
        string[][] kinds = [corpus, corpus, Scripts, Code, Spaces, Spaces, Marks];
        foreach (string text in (string[])["", " ", "a", " a", "a ", "\n", .. Scripts, .. Code, .. Spaces, .. Marks])
            yield return text;
        for (int i = 0; i < count; i++)
        {
            int parts = 1 + random.Next(i % 10 == 0 ? 60 : 12);
            yield return string.Concat(Enumerable.Range(0, parts).Select(_ => Part(random, kinds)));
        }
    }

    private static string Part(Random random, string[][] kinds)
    {
        if (random.Next(12) == 0)
            return Character(random);

        string[] kind = kinds[random.Next(kinds.Length)];
        string part = kind[random.Next(kind.Length)];
        return random.Next(3) == 0 ? part + " " : part;
    }

    // Of blocks that have not changed for many versions of Unicode, since the two libraries have tables of different ones.
    private static string Character(Random random)
    {
        (int First, int Last)[] blocks = [(0x20, 0x7E), (0xA1, 0x17F), (0x391, 0x3A1), (0x410, 0x44F), (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x939), (0x3041, 0x3096), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E), (0x1D400, 0x1D454), (0x20000, 0x2A6D6), (0x1F600, 0x1F64F)];
        (int first, int last) = blocks[random.Next(blocks.Length)];
        return char.ConvertFromUtf32(random.Next(first, last + 1));
    }
}
