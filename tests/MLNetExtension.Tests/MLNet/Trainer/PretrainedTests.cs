using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Generation;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Training;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Published models as what a training begins with.</summary>
[TestClass]
public sealed class PretrainedTests
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaximumNewTokens = 8 };

    // Seen to fail with: the tokenizer's files left out of the archive, or of the folder; weights changed on loading.
    [TestMethod]
    [DataRow("gpt2")]
    [DataRow("llama3")]
    [DataRow("qwen2")]
    public void A_published_model_is_trained_on_saved_and_published_again(string style)
    {
        using TemporaryFolder folder = new();
        string published = Publish(folder["published"], style);
        MLContext mlContext = new(seed: 1);
        using var untrained = Fit(mlContext, Options(published, steps: 0));
        using var trained = Fit(mlContext, Options(published, steps: 12));
        Assert.IsLessThan(0.95 * Loss(mlContext, untrained), Loss(mlContext, trained));

        mlContext.Model.Save(trained, Rows(mlContext).Schema, folder["model.zip"]);
        using var loaded = (IDisposable)new MLContext().LoadLanguageModel(folder["model.zip"], out ITransformer model);
        CollectionAssert.AreEqual(LossSums(mlContext, trained), LossSums(mlContext, model));
        Assert.AreEqual(mlContext.CausalLanguageModeling.CreateTextGenerator(trained).Generate("a", Greedy), mlContext.CausalLanguageModeling.CreateTextGenerator(model).Generate("a", Greedy));

        ((CausalLanguageModelTransformer)model).SaveAsHuggingFace(folder["again"]);
        using var again = Fit(mlContext, Options(folder["again"], steps: 0));
        CollectionAssert.AreEqual(LossSums(mlContext, trained), LossSums(mlContext, again));
        CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(published, "tokenizer.json")), File.ReadAllBytes(Path.Combine(folder["again"], "tokenizer.json")));
    }

    // Seen to fail with: adapters left out of what the archive says of the model; what PiSSA starts from taken for a weight of the model; whole modules that are trained in bfloat16.
    [TestMethod]
    [DataRow("", ComputePrecision.Float32)]
    [DataRow("", ComputePrecision.BFloat16)]
    [DataRow("DoRA, whole modules", ComputePrecision.Float32)]
    [DataRow("DoRA, PiSSA", ComputePrecision.BFloat16)]
    [DataRow("PiSSA, whole modules", ComputePrecision.BFloat16)]
    [DataRow("int8", ComputePrecision.Float32)]
    [DataRow("int8, DoRA, whole modules", ComputePrecision.Float32)]
    [DataRow("int8, PiSSA", ComputePrecision.BFloat16)]
    [DataRow("bf16, DoRA", ComputePrecision.Float32)]
    public void Adapters_alone_are_trained_and_go_with_the_model(string kind, ComputePrecision precision)
    {
        using TemporaryFolder folder = new();
        string published = Publish(folder["published"], "qwen2");
        MLContext mlContext = new(seed: 1);
        var options = Options(published, steps: 12);
        (options.Adapters, options.Batching) = (Adapted.Options(kind) with { Rank = 4, TargetModules = ["q_proj", "down_proj"] }, new() { Precision = precision });
        using var untrained = Fit(mlContext, Options(published, steps: 0));
        using var trained = Fit(mlContext, options);
        Assert.IsLessThan(Loss(mlContext, untrained), Loss(mlContext, trained));

        mlContext.Model.Save(trained, Rows(mlContext).Schema, folder["model.zip"]);
        using (var loaded = (IDisposable)new MLContext().LoadLanguageModel(folder["model.zip"], out ITransformer model))
            CollectionAssert.AreEqual(LossSums(mlContext, trained), LossSums(mlContext, model));

        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => trained.SaveAsHuggingFace(folder["merged"])).Message, "merge");
        trained.SaveAdapters(folder["adapters"]);
        using (HuggingFaceModel plain = HuggingFaceModel.Load(published))
        {
            LoraAdapters adapters = HuggingFaceAdapters.Load(plain.Model, folder["adapters"]);
            Assert.HasCount(4, adapters.ModuleNames);
            Assert.HasCount(options.Adapters.TrainedModules.Count, adapters.TrainedModules);
            Assert.AreEqual(options.Adapters.UseDora, adapters.Attached[0].Adapter.Magnitude is not null);
        }

        double[] before = LossSums(mlContext, trained);
        trained.MergeAdapters();
        double tolerance = precision == ComputePrecision.Float32 ? 1e-5 : 2e-2;
        foreach ((double apart, double merged) in before.Zip(LossSums(mlContext, trained)))
            Assert.AreEqual(apart, merged, tolerance * Math.Max(1, apart));
        trained.SaveAsHuggingFace(folder["merged"]);
        using HuggingFaceModel reloaded = HuggingFaceModel.Load(folder["merged"]);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => trained.SaveAdapters(folder["adapters"])).Message, "no low-rank adapters");
    }

    // Seen to fail with: the whole chat trained on.
    [TestMethod]
    [DataRow("llama3")]
    [DataRow("qwen2")]
    public void What_the_assistant_says_is_trained_on_and_given_as_an_answer(string style)
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var options = Options(Publish(folder["published"], style), steps: 60);
        options.Columns = InputColumns.Chat(nameof(Chat.Messages));
        options.Outputs = new() { Generation = Greedy };
        IDataView chats = mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 4).Select(_ => new Chat
        {
            Messages = """[{"role":"user","content":"so?"},{"role":"assistant","content":"yes it is"}]""",
        }).ToList());
        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(chats);

        int answer = Golden.Tokenizer(style).EncodeText("yes it is").Count;
        foreach (Answer row in mlContext.Data.CreateEnumerable<Answer>(model.Transform(chats), reuseRowObject: false))
        {
            Assert.AreEqual(answer + 1, row.TokenCount, "the words and the mark that ends the turn");
            Assert.AreEqual("yes it is", row.GeneratedText);
        }
        Assert.AreEqual("yes it is", mlContext.CausalLanguageModeling.CreateTextGenerator(model).Generate("so?", Greedy));
    }

    [TestMethod]
    public void A_network_is_trained_from_scratch_on_the_tokens_of_a_folder()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var options = Tiny.Options();
        options.Model = LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 64, tokenizerFolder: Golden.FolderOf("gpt2"));
        using var model = Tiny.Train(mlContext, options);
        int[] counts = [.. Tiny.Score(mlContext, model, Tiny.Rows(mlContext, Tiny.Texts)).Select(row => row.TokenCount)];
        CollectionAssert.AreEqual(Tiny.Texts.Select(text => Golden.Tokenizer("gpt2").EncodeText(text).Count + 1).ToArray(), counts);

        mlContext.Model.Save(model, Tiny.Rows(mlContext).Schema, folder["model.zip"]);
        using var loaded = (IDisposable)new MLContext().LoadLanguageModel(folder["model.zip"], out ITransformer again);
        CollectionAssert.AreEqual(counts, Tiny.Score(mlContext, again, Tiny.Rows(mlContext, Tiny.Texts)).Select(row => row.TokenCount).ToArray());
    }

    [TestMethod]
    public void A_model_without_a_tokenizer_is_trained_on_token_ids_and_saved()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        string whole = Publish(folder["whole"], "gpt2"), bare = Publish(folder["bare"], "gpt2");
        foreach (string file in Directory.EnumerateFiles(bare, "*token*"))
            File.Delete(file);

        IDataView rows = Ids(mlContext);
        using var expected = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(IdsOptions(whole)).Fit(rows);
        using var trained = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(IdsOptions(bare)).Fit(rows);
        CollectionAssert.AreEqual(Losses(mlContext, expected, rows), Losses(mlContext, trained, rows), "the end of a text is that of config.json");

        mlContext.Model.Save(trained, rows.Schema, folder["model.zip"]);
        using var loaded = (IDisposable)new MLContext().LoadLanguageModel(folder["model.zip"], out ITransformer model);
        CollectionAssert.AreEqual(Losses(mlContext, trained, rows), Losses(mlContext, model, rows));
        trained.SaveAsHuggingFace(folder["again"]);
        using var again = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(IdsOptions(folder["again"], steps: 0)).Fit(rows);
        CollectionAssert.AreEqual(Losses(mlContext, trained, rows), Losses(mlContext, again, rows));

        const string Sentence = "has no tokenizer: its folder has no tokenizer files, so it reads and gives token ids, not text";
        StringAssert.Contains(Assert.ThrowsExactly<NotSupportedException>(() => mlContext.CausalLanguageModeling.CreateTextGenerator(model).Generate("a", Greedy)).Message, Sentence);
        StringAssert.Contains(
            Assert.ThrowsExactly<NotSupportedException>(() => mlContext.Data.CreateEnumerable<Answer>(model.Transform(rows), reuseRowObject: false).ToList()).Message, Sentence);
        StringAssert.Contains(Assert.ThrowsExactly<NotSupportedException>(() => Fit(mlContext, Options(bare, 1))).Message, Sentence);
    }

    [TestMethod]
    public void What_is_ignored_or_passed_over_in_a_folder_is_in_the_log()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var lines = new List<string>();
        mlContext.Log += (_, line) => lines.Add(line.Message);
        string published = Publish(folder["published"], "gpt2");
        string path = Path.Combine(published, "tokenizer.json"), json = File.ReadAllText(path);
        File.WriteAllText(path, json.Replace("\"truncation\":null", "\"truncation\":{\"max_length\":3}").Replace("\"padding\":null", "\"padding\":{\"pad_id\":0}"));
        Fit(mlContext, Options(published, steps: 0)).Dispose();
        Assert.ContainsSingle(line => line.Contains("tokenizer.json: 'truncation' and 'padding' are ignored"), lines);

        string both = Publish(folder["both"], "gpt2", vocabulary: 640);
        File.WriteAllText(Path.Combine(both, "tokenizer.json"), json.Replace("\"decoder\"", "\"decoders\""));
        File.Copy(Path.Combine(Golden.Folder, "sentencepiece", "llama.model"), Path.Combine(both, "tokenizer.model"));
        Fit(mlContext, Options(both, steps: 0)).Dispose();
        Assert.ContainsSingle(line => line.Contains("tokenizer.model is read instead of tokenizer.json") && line.Contains("'decoder' is missing"), lines);
    }

    [TestMethod]
    public void What_cannot_be_trained_on_is_said_in_one_sentence()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        StringAssert.Contains(Assert.ThrowsExactly<DirectoryNotFoundException>(() => Fit(mlContext, Options(folder["nowhere"], 1))).Message, "nowhere");

        string small = Publish(folder["small"], "gpt2", vocabulary: 100);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => Fit(mlContext, Options(small, 1))).Message, "but the model's vocabulary only 100");

        var chats = Tiny.Options();
        chats.Columns = InputColumns.Chat(nameof(Chat.Messages));
        IDataView rows = mlContext.Data.LoadFromEnumerable(new[] { new Chat { Messages = """[{"role":"assistant","content":"x"}]""" } });
        StringAssert.Contains(Assert.ThrowsExactly<NotSupportedException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(chats).Fit(rows)).Message, "chat template");
    }

    private static CausalLanguageModelTrainer.Options Options(string folder, int steps) => new()
    {
        Model = LanguageModel.Pretrained(folder, 1000),
        BatchSize = 4,
        LearningRate = 1e-2,
        Schedule = new() { WarmupSteps = 0 },
        MaximumSteps = steps,
        Seed = 5,
    };

    private static string Publish(string folder, string style, int? vocabulary = null)
    {
        int size = vocabulary ?? Golden.Tokenizer(style).VocabularySize + 3;
        using CausalLanguageModel model = style == "gpt2"
            ? new Gpt2Model(new Gpt2Configuration(size, ContextLength: 64, Layers: 2, Heads: 2, Width: 16), seed: 3)
            : new LlamaModel(
                new LlamaConfiguration { VocabularySize = size, ContextLength = 64, Layers = 2, Width = 16, FeedForwardWidth = 24, Heads = 4, KeyValueHeads = 2, HeadWidth = 4 }, seed: 3);
        HuggingFaceModel published = new(model, Golden.Tokenizer(style).EndOfTextId);
        published.Save(folder, [.. Directory.EnumerateFiles(Golden.FolderOf(style))]);
        return folder;
    }

    private static CausalLanguageModelTrainer.Options IdsOptions(string folder, int steps = 5)
    {
        var options = Options(folder, steps);
        options.Columns = InputColumns.TokenIds(nameof(IdsRow.Ids));
        return options;
    }

    private static IDataView Ids(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(Tiny.Texts.Select(text => new IdsRow { Ids = [.. Golden.Tokenizer("gpt2").EncodeText(text)] }).ToList());

    private static double[] Losses(MLContext mlContext, ITransformer model, IDataView rows) =>
        [.. mlContext.Data.CreateEnumerable<Tiny.Prediction>(model.Transform(rows), reuseRowObject: false).Select(row => (double)row.LossSum)];

    private static CausalLanguageModelTransformer Fit(MLContext mlContext, CausalLanguageModelTrainer.Options options) =>
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Rows(mlContext));

    private static IDataView Rows(MLContext mlContext) => Tiny.Rows(mlContext, Tiny.Texts);

    private static double Loss(MLContext mlContext, ITransformer model) => mlContext.CausalLanguageModeling.Evaluate(model.Transform(Rows(mlContext))).Loss;

    private static double[] LossSums(MLContext mlContext, ITransformer model) => [.. Tiny.Score(mlContext, model, Rows(mlContext)).Select(row => (double)row.LossSum)];

    private sealed class IdsRow
    {
        public int[] Ids { get; set; } = [];
    }

    private sealed class Chat
    {
        public string Messages { get; set; } = "";
    }

    private sealed class Answer
    {
        public int TokenCount { get; set; }

        public string GeneratedText { get; set; } = "";
    }
}

/// <summary>Loading as a program does that only loads.</summary>
internal static class LoadingExtensions
{
    public static ITransformer LoadLanguageModel(this MLContext mlContext, string path, out ITransformer model)
    {
        mlContext.CausalLanguageModeling.RegisterLoader();
        return model = mlContext.Model.Load(path, out _);
    }
}
