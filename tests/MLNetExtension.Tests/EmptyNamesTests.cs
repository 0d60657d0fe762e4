using MLNetExtension.Training.Optimization;
using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using Options = MLNetExtension.CausalLanguageModelTrainer.Options;

namespace MLNetExtension.Tests;

/// <summary>Every name that users give: one that is empty is refused under the option's own name, and where it stands in a list, with its place.</summary>
[TestClass]
public sealed class EmptyNamesTests
{
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void An_empty_name_is_refused_by_its_options_name(string option, Action<string> use)
    {
        foreach (string? name in new[] { "", " ", "\t\n", null })
        {
            if (name is null && Optional.Contains(option))
                continue;
            ArgumentException error = Assert.Throws<ArgumentException>(() => use(name!), $"{option} = {name ?? "null"}");
            Assert.AreEqual(option, error.ParamName);
            if (error is not ArgumentNullException)
                StringAssert.StartsWith(error.Message, $"{option} is {(name is null ? "null" : $"'{name}'")}; allowed is ", error.Message);
        }
    }

    // A blank is a string that a text may stop at.
    [TestMethod]
    public void An_empty_stop_string_is_refused_with_its_place()
    {
        foreach (string? stop in new[] { "", null })
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(new Options { Outputs = new() { Generation = new() { Temperature = 0, StopStrings = ["a", "b", stop!] } } }.Validate);
            Assert.AreEqual("Outputs.Generation.StopStrings[2]", error.ParamName);
        }
        new GenerationOptions { StopStrings = ["\n\n", " "] }.Validate();
    }

    [TestMethod]
    public void Lists_that_are_null_are_refused_by_name()
    {
        AssertNull("Optimizer.DecayExclusions", new Options { Optimizer = new AdamWOptions { DecayExclusions = null! } });
        AssertNull("Adapters.TargetModules", new Options { Adapters = new() { TargetModules = null! } });
        AssertNull("Outputs.Generation.StopStrings", new Options { Outputs = new() { Generation = new() { Temperature = 0, StopStrings = null! } } });

        static void AssertNull(string option, Options options)
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(options.Validate);
            Assert.AreEqual(option, error.ParamName);
            StringAssert.StartsWith(error.Message, $"{option} is null; allowed is a list of ");
        }
    }

    // Null leaves these out.
    private static string[] Optional => ["Columns.weight", "Model.TokenizerFolder", "TokenCacheFolder", "exampleWeightColumnName", "samplingKeyColumnName"];

    public static IEnumerable<object[]> Names =>
    [
        Trainer("Columns.text", name => new() { Columns = InputColumns.Text(name) }),
        Trainer("Columns.weight", name => new() { Columns = InputColumns.Text("Text", name) }),
        Trainer("Columns.prompt", name => new() { Columns = InputColumns.PromptCompletion(name) }),
        Trainer("Columns.completion", name => new() { Columns = InputColumns.PromptCompletion("Prompt", name) }),
        Trainer("Columns.messages", name => new() { Columns = InputColumns.Chat(name) }),
        Trainer("Columns.token ids", name => new() { Columns = InputColumns.TokenIds(name) }),
        Trainer("Model.Folder", name => new() { Model = LanguageModel.Pretrained(name) }),
        Trainer("Model.TokenizerFolder", name => new() { Model = LanguageModel.Gpt2(tokenizerFolder: name) }),
        Trainer("Model.Name", name => new() { Model = LanguageModel.Custom(name, () => throw new InvalidOperationException()) }),
        Trainer("TokenCacheFolder", name => new() { TokenCacheFolder = name }),
        Trainer("Checkpoints.Folder", name => new() { Checkpoints = new() { Folder = name } }),
        Trainer("Optimizer.DecayExclusions[1]", name => new() { Optimizer = new AdamWOptions { DecayExclusions = ["*bias*", name] } }),
        Trainer("Adapters.TargetModules[0]", name => new() { Adapters = new() { TargetModules = [name, "q_proj"] } }),
        Trainer("Outputs.LossSum", name => new() { Outputs = new() { LossSum = name } }),
        Trainer("Outputs.TokenCount", name => new() { Outputs = new() { TokenCount = name } }),
        Trainer("Outputs.ByteCount", name => new() { Outputs = new() { ByteCount = name } }),
        Trainer("Outputs.CorrectCount", name => new() { Outputs = new() { CorrectCount = name } }),
        Trainer("Outputs.Perplexity", name => new() { Outputs = new() { Perplexity = name } }),
        Trainer("Outputs.TokenLogProbabilities", name => new() { Outputs = new() { TokenLogProbabilities = name } }),
        Trainer("Outputs.GeneratedText", name => new() { Outputs = new() { GeneratedText = name } }),
        Catalog("textColumnName", (catalog, _, name) => catalog.Trainers.CausalLanguageModel(name)),
        Catalog("name", (catalog, _, name) => catalog.RegisterModel(name, () => throw new InvalidOperationException())),
        Catalog("lossSumColumnName", (catalog, data, name) => catalog.Evaluate(data, lossSumColumnName: name)),
        Catalog("tokenCountColumnName", (catalog, data, name) => catalog.Evaluate(data, tokenCountColumnName: name)),
        Catalog("byteCountColumnName", (catalog, data, name) => catalog.Evaluate(data, byteCountColumnName: name)),
        Catalog("correctCountColumnName", (catalog, data, name) => catalog.Evaluate(data, correctCountColumnName: name)),
        Catalog("exampleWeightColumnName", (catalog, data, name) => catalog.Evaluate(data, exampleWeightColumnName: name)),
        Catalog("samplingKeyColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), samplingKeyColumnName: name)),
        Catalog("lossSumColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), lossSumColumnName: name)),
        Catalog("tokenCountColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), tokenCountColumnName: name)),
        Catalog("byteCountColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), byteCountColumnName: name)),
        Catalog("correctCountColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), correctCountColumnName: name)),
        Catalog("exampleWeightColumnName", (catalog, data, name) => catalog.CrossValidate(data, catalog.Trainers.CausalLanguageModel(), exampleWeightColumnName: name)),
        Use("folder", name => WithModel(model => model.SaveAsHuggingFace(name))),
        Use("folder", name => WithModel(model => model.SaveAsOnnx(name))),
        Use("folder", name => WithModel(model => model.SaveAdapters(name))),
        Use("path", name => WithModel(model => model.SaveAsGguf(name))),
        Use("folder", name => TokenizerFolder.Load(name)),
        Use("folder", name => TokenizerFolder.Save(new ByteLevelTokenizer(), name)),
    ];

    private static object[] Use(string option, Action<string> use) => [option, use];

    private static object[] Trainer(string option, Func<string, Options> options) =>
        Use(option, name => new MLContext(seed: 1).CausalLanguageModeling.Trainers.CausalLanguageModel(options(name)));

    private static object[] Catalog(string argument, Action<CausalLanguageModelingCatalog, IDataView, string> use) => Use(argument, name =>
    {
        var mlContext = new MLContext(seed: 1);
        use(mlContext.CausalLanguageModeling, Tiny.Rows(mlContext, Tiny.Texts), name);
    });

    private static void WithModel(Action<CausalLanguageModelTransformer> use)
    {
        using CausalLanguageModelTransformer model = new(new TrainedLanguageModel(TinyModels.Gpt2(torch.ScalarType.Float32), new ByteLevelTokenizer()), new Options(), training: null);
        use(model);
    }
}
