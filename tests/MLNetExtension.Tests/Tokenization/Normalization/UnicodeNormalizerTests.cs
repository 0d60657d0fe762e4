using System.Security.Cryptography;
using System.Text;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tests.Tokenization.Normalization;

[TestClass]
public sealed class UnicodeNormalizerTests
{
    private static readonly UnicodeNormalizer Composition = new(UnicodeForm.C);

    // Seen to fail without the sorting of marks, with marks of one class not blocking each other, and without the arithmetic of Hangul.
    [TestMethod]
    public void Every_character_is_composed_as_Python_composes_it()
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int code = 0; code < 0x30000; code++)
        {
            if (code is >= 0xD800 and <= 0xDFFF)
                continue;

            string c = char.ConvertFromUtf32(code);
            foreach (string text in (string[])[c, $"e{c}\u0301", $"{c}\u0323\u0307", $"{c}\u0301\u11a8", $"\u0b47{c}"])
                digest.AppendData(Encoding.UTF8.GetBytes(Composition.Normalize(text)));
        }

        Assert.AreEqual(Golden.Composed, Convert.ToHexStringLower(digest.GetHashAndReset()));
    }

    [TestMethod]
    public void What_is_composed_stays_as_it_is() => Texts.ForAll(Texts.Any, text =>
    {
        string composed = Composition.Normalize(text);
        return Composition.Normalize(composed) == composed && Composition.Normalize(composed.AsSpan()) == composed;
    });

    [TestMethod]
    [DataRow("e\u0301", "é")]
    [DataRow("\u1100\u1161\u11A8", "각")]
    [DataRow("a\u0307\u0323", "\u1EA1\u0307")]
    [DataRow("plain", "plain")]
    public void Examples(string text, string composed) => Assert.AreEqual(composed, Composition.Normalize(text));

    [TestMethod]
    public void A_lone_surrogate_stays_where_it_is() => Assert.AreEqual("\uD800\u0301é", Composition.Normalize("\uD800\u0301e\u0301"));
}
