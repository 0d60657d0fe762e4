using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Text;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What we rely on in <c>NormalizeText</c>, and that it removes exactly the same marks from either source.</summary>
[TestClass]
public sealed class TransformsNormalizeTextTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("Héllo, Wörld 42!", "hello, world 42!")]
    [DataRow("İstanbul ƏÖ Ёлка ΐΏ", "istanbul əo елка ιω")]
    [DataRow("e\u0301\u0590\u0591 ẞ ẞ Ệ", "e\u0590 ß ß ệ")]
    [DataRow("𝐀b\ud800", "𝐀b\ud800")]
    [DataRow("", "")]
    public void By_default_case_and_diacritics_go_and_the_rest_stays(string text, string expected) =>
        Assert.AreEqual(expected, Normalize(text, _mlContext.Transforms.Text.NormalizeText("Text")));

    [TestMethod]
    [DataRow(TextNormalizingEstimator.CaseMode.Lower, "é straße")]
    [DataRow(TextNormalizingEstimator.CaseMode.Upper, "É STRAßE")]
    [DataRow(TextNormalizingEstimator.CaseMode.None, "É Straße")]
    public void Case_is_a_choice(TextNormalizingEstimator.CaseMode mode, string expected) =>
        Assert.AreEqual(expected, Normalize("É Straße", _mlContext.Transforms.Text.NormalizeText("Text", caseMode: mode, keepDiacritics: true)));

    [TestMethod]
    public void Punctuation_goes_but_symbols_stay() =>
        Assert.AreEqual("ab1 +$", Normalize("a.b_1! +$„”¿", _mlContext.Transforms.Text.NormalizeText("Text", keepPunctuations: false)));

    [TestMethod]
    public void Numbers_of_every_script_go() =>
        Assert.AreEqual("a ", Normalize("a1٣²½Ⅷ ", _mlContext.Transforms.Text.NormalizeText("Text", keepNumbers: false)));

    [TestMethod]
    public void Exactly_these_characters_are_or_carry_a_diacritic()
    {
        // Every character by itself: how many change when only diacritics are removed, and a checksum of what they change to.
        char[] characters = [.. Enumerable.Range(1, 0xD7FF).Select(code => (char)code)];
        IDataView view = _mlContext.Data.LoadFromEnumerable(characters.Select(character => new OneText { Text = character.ToString() }));
        string[] normalized =
        [
            .. _mlContext.Transforms.Text.NormalizeText("Text", caseMode: TextNormalizingEstimator.CaseMode.None).Fit(view).Transform(view)
                .GetColumn<string>("Text"),
        ];
        int removed = 0, replaced = 0;
        uint checksum = 0;
        for (int i = 0; i < characters.Length; i++)
        {
            if (normalized[i] == "")
                removed++;
            else if (normalized[i][0] != characters[i])
                replaced++;
            checksum = checksum * 31 + (normalized[i] == "" ? 1u : normalized[i][0]);
        }

        Assert.AreEqual((188, 326, 1888264260u), (removed, replaced, checksum));
    }

    [TestMethod]
    public void A_vector_loses_its_empty_texts()
    {
        IDataView view = _mlContext.Data.LoadFromEnumerable([new Words { Text = ["A,", "É", "!", ""] }]);
        IDataView normalized = _mlContext.Transforms.Text.NormalizeText("Text", keepPunctuations: false).Fit(view).Transform(view);
        Assert.AreEqual("Vector<String>", normalized.Schema["Text"].Type.ToString());
        Assert.AreEqual("a|e", string.Join("|", normalized.GetColumn<VBuffer<ReadOnlyMemory<char>>>("Text").Single().DenseValues()));
    }

    [TestMethod]
    public void Only_text_normalizes()
    {
        IDataView view = _mlContext.Data.LoadFromEnumerable([new Number()]);
        ArgumentOutOfRangeException thrown = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.Transforms.Text.NormalizeText("Text").Fit(view));
        Assert.AreEqual("inputSchema", thrown.ParamName);
        StringAssert.StartsWith(thrown.Message, "Schema mismatch for input column 'Text': expected String or vector of String, got Single");
        StringAssert.StartsWith(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Transforms.Text.NormalizeText("Text", "Other").Fit(view)).Message,
            "Could not find input column 'Other'");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _mlContext.Transforms.Text.NormalizeText(""));
    }

    private string Normalize(string text, TextNormalizingEstimator estimator)
    {
        IDataView view = _mlContext.Data.LoadFromEnumerable([new OneText { Text = text }]);
        return estimator.Fit(view).Transform(view).GetColumn<ReadOnlyMemory<char>>("Text").Single().ToString();
    }

    public sealed class OneText
    {
        public string Text = "";
    }

    public sealed class Words
    {
        public string[] Text = [];
    }

    public sealed class Number
    {
        public float Text;
    }
}
