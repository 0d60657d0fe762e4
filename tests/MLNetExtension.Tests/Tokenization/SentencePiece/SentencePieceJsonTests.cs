using System.Text;
using System.Text.Json;
using MLNetExtension.Tests.Tokenization.HuggingFace;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tests.Tokenization.SentencePiece;

/// <summary>SentencePiece models written as <c>tokenizer.json</c>, read by Hugging Face's library.</summary>
[TestClass]
public sealed class SentencePieceJsonTests
{
    // Seen to fail with: user-defined pieces of plain spaces looked for, which the model never finds (gemma).
    [TestMethod]
    [DataRow("llama")]
    [DataRow("gemma")]
    public void What_is_written_has_the_ids_of_the_model(string name)
    {
        var model = (SentencePieceLanguageTokenizer)TestTokenizers.Load(name);
        IReadOnlyList<TokenizerFile> files = TokenizerFolder.FilesForOthers(model);
        string json = Encoding.UTF8.GetString(files.Single(file => file.Name == "tokenizer.json").Content.Span);
        using var oracle = new Oracle(FamilyTokenizers.WithoutSpecialTokens(json));
        var ours = (HuggingFaceTokenizer)TokenizerFolder.Load(files);

        Assert.AreEqual((model.VocabularySize, model.BeginningOfTextId, model.EndOfTextId), (ours.VocabularySize, ours.BeginningOfTextId, ours.EndOfTextId));
        CollectionAssert.Contains(files.ToArray(), model.Files.Single());
        foreach (string text in FamilyTexts.Make(2000, seed: 8))
        {
            IReadOnlyList<int> expected = model.EncodeText(text);
            Assert.IsTrue(expected.SequenceEqual(oracle.Encode(text)), $"{JsonSerializer.Serialize(text)} gives {string.Join(' ', oracle.Encode(text))}, expected {string.Join(' ', expected)}");
            Assert.IsTrue(expected.SequenceEqual(ours.EncodeText(text)), $"{name}: {JsonSerializer.Serialize(text)}");
            Assert.AreEqual(model.Decode(expected), ours.Decode(expected));
        }
    }

    // A unigram model is summed in another precision there, and rules of normalization are applied in another way.
    [TestMethod]
    [DataRow("normalized")]
    [DataRow("unigram")]
    [DataRow("unigram_bytes")]
    public void A_model_that_would_have_other_ids_is_passed_on_alone(string name)
    {
        ILanguageTokenizer model = TestTokenizers.Load(name);
        Assert.AreSame(model.Files, TokenizerFolder.FilesForOthers(model));
    }
}
