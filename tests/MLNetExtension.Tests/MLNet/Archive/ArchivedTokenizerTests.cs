using System.Text.Json;
using Microsoft.ML;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tests.Tokenization.HuggingFace;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.MLNet.Archive;

[TestClass]
public sealed class ArchivedTokenizerTests
{
    [TestMethod]
    [DataRow("llama2")]
    [DataRow("gemma2")]
    [DataRow("t5")]
    [DataRow("llama")]
    public void A_model_keeps_its_tokenizer_in_its_archive_and_gives_others_the_same_ids(string name)
    {
        var mlContext = new MLContext();
        mlContext.CausalLanguageModeling.RegisterLoader();
        using var folder = new TemporaryFolder();
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        Gpt2Configuration configuration = new(tokenizer.VocabularySize, ContextLength: 8, Layers: 1, Heads: 1, Width: 8);
        using var model = new CausalLanguageModelTransformer(new TrainedLanguageModel(new Gpt2Model(configuration, seed: 1), tokenizer), Tiny.Options(), training: null);
        mlContext.Model.Save(model, null, folder["model.zip"]);
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(folder["model.zip"], out _);
        loaded.SaveAsHuggingFace(folder["published"]);

        foreach (TokenizerFile file in tokenizer.Files)
            CollectionAssert.AreEqual(file.Content.ToArray(), File.ReadAllBytes(Path.Combine(folder["published"], file.Name)));
        ILanguageTokenizer read = TokenizerFolder.Load(folder["published"]);
        string json = File.ReadAllText(Path.Combine(folder["published"], "tokenizer.json"));
        using var oracle = new Oracle(FamilyTokenizers.WithoutSpecialTokens(json), name == "t5" ? 1 : 0);
        foreach (string text in FamilyTexts.Make(200, seed: 9))
        {
            Assert.IsTrue(tokenizer.EncodeText(text).SequenceEqual(read.EncodeText(text)), JsonSerializer.Serialize(text));
            Assert.IsTrue(tokenizer.EncodeText(text).SequenceEqual(oracle.Encode(text)), JsonSerializer.Serialize(text));
        }
    }
}
