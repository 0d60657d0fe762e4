using Microsoft.ML;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.MLNet.Schema;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet.Preference;

[TestClass]
public sealed class PreferenceTrainerTests
{
    private static readonly string[] Words = ["cat", "a small dog", "bird", "two horses and a cow", "fish"];

    [TestMethod]
    public void Training_raises_accuracy_and_margin_and_leaves_the_model_it_started_from()
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        float[] before = Losses(mlContext, start);
        List<StepReport> steps = [];
        var options = Options(start);
        (options.MaximumSteps, options.Progress) = (30, new Tiny.Progress(steps.Add));
        IDataView pairs = Pairs(mlContext);
        using var model = mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(pairs);

        PreferenceMetrics untrained = mlContext.CausalLanguageModeling.EvaluatePreference(pairs, start, start), trained = mlContext.CausalLanguageModeling.EvaluatePreference(pairs, model, start);
        Assert.AreEqual((0, 0, Math.Log(2)), (untrained.RewardMargin, untrained.Accuracy, untrained.Loss));
        Assert.AreEqual(1, trained.Accuracy);
        Assert.IsGreaterThan(0.1, trained.RewardMargin);
        Assert.IsLessThan(untrained.Loss, trained.Loss);
        Assert.AreEqual(0, steps[0].Preference!.RewardMargin, 1e-5);
        Assert.IsGreaterThan(0.1, steps[^1].Preference!.RewardMargin);
        Assert.AreEqual(4, steps[0].Rows);
        CollectionAssert.AreEqual(before, Losses(mlContext, start));
        Assert.AreEqual("gpt2", model.Options.Model.Title);
    }

    // By hand from the columns that any model gives: rewards are 0.3 times differences of log-probabilities.
    [TestMethod]
    public void Metrics_are_those_of_the_columns_of_both_models()
    {
        var mlContext = new MLContext(seed: 1);
        using var reference = Tiny.Train(mlContext, Prompted(seed: 5));
        using var model = Tiny.Train(mlContext, Prompted(seed: 6));
        Pair[] pairs = [.. AllPairs().Take(5)];
        pairs[2] = new Pair { Prompt = new string('x', 100), Chosen = "a", Rejected = "b", Weight = 1 };    // fills the context
        IDataView data = mlContext.Data.LoadFromEnumerable(pairs);
        PreferenceMetrics metrics = mlContext.CausalLanguageModeling.EvaluatePreference(data, model, reference, InputColumns.Pairs(weight: "Weight"), PreferenceMethod.Dpo(beta: 0.3));

        double[] Rewards(Func<Pair, string> completion) =>
            [.. LogProbabilities(mlContext, model, pairs, completion).Zip(LogProbabilities(mlContext, reference, pairs, completion), (own, other) => 0.3 * (own - other))];
        double[] chosen = Rewards(pair => pair.Chosen), rejected = Rewards(pair => pair.Rejected);
        double Mean(Func<int, double> of) => new[] { 0, 1, 3, 4 }.Sum(i => pairs[i].Weight * of(i)) / new[] { 0, 1, 3, 4 }.Sum(i => pairs[i].Weight);
        Assert.AreEqual(Mean(i => chosen[i]), metrics.ChosenReward, 1e-4);
        Assert.AreEqual(Mean(i => chosen[i] - rejected[i]), metrics.RewardMargin, 1e-4);
        Assert.AreEqual(Mean(i => chosen[i] > rejected[i] ? 1 : 0), metrics.Accuracy, 1e-12);
        Assert.AreEqual(Mean(i => Math.Log(1 + Math.Exp(rejected[i] - chosen[i]))), metrics.Loss, 1e-4);
        Assert.AreEqual(Mean(i => LogProbabilities(mlContext, model, pairs, pair => pair.Rejected)[i]), metrics.RejectedLogProbability, 1e-3);
        Assert.AreEqual((4L, 1L), (metrics.Pairs, metrics.SkippedPairs));
    }

    [TestMethod]
    public void Pairs_without_a_token_within_the_context_are_skipped_and_said()
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        List<string> log = Tiny.LogOf(mlContext);
        Pair[] pairs = [.. AllPairs(), new Pair { Prompt = new string('x', 100), Chosen = "a", Rejected = "b", Weight = 1 }];
        using var model = mlContext.CausalLanguageModeling.Trainers.Preference(Options(start)).Fit(mlContext.Data.LoadFromEnumerable(pairs));
        Assert.IsTrue(log.Any(line => line.Contains($"1 of {pairs.Length} rows are skipped")), string.Join('\n', log));
        Assert.IsTrue(log.Any(line => line.Contains("Preferences by DPO (beta 0.1, label smoothing 0); the reference is the model that training starts from.")));
    }

    [TestMethod]
    [DataRow("IPO")]
    [DataRow("ORPO")]
    [DataRow("SimPO")]
    [DataRow("KTO")]
    public void Every_method_raises_its_margin(string name)
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        var options = Options(start);
        options.Method = name switch
        {
            "IPO" => PreferenceMethod.Ipo(),
            "ORPO" => PreferenceMethod.Orpo(lambda: 1),
            "SimPO" => PreferenceMethod.SimPo(),
            _ => PreferenceMethod.Kto(beta: 0.5),
        };
        if (name == "KTO")
            options.Columns = InputColumns.Labelled();
        IDataView rows = name == "KTO" ? Labels(mlContext) : Pairs(mlContext);
        List<StepReport> steps = [];
        (options.MaximumSteps, options.BatchSize, options.Progress) = (20, 20, new Tiny.Progress(steps.Add));
        using var model = mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(rows);
        PreferenceMetrics before = mlContext.CausalLanguageModeling.EvaluatePreference(rows, start, start, options.Columns, options.Method);
        PreferenceMetrics after = mlContext.CausalLanguageModeling.EvaluatePreference(rows, model, start, options.Columns, options.Method);
        Assert.IsGreaterThan(before.RewardMargin, after.RewardMargin);
        Assert.IsLessThan(before.Loss, after.Loss);
        Assert.IsGreaterThan(steps[0].Preference!.RewardMargin, steps[^1].Preference!.RewardMargin);
    }

    [TestMethod]
    public void Adapters_and_validation_go_with_it()
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        var options = Options(start);
        (options.Adapters, options.LearningRate, options.MaximumSteps) = (new LoraOptions { Rank = 2 }, 3e-2, 12);
        options.Validation = new() { Rows = Pairs(mlContext), Interval = 4 };
        List<StepReport> steps = [];
        options.Progress = new Tiny.Progress(steps.Add);
        using var model = mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(Pairs(mlContext));
        Assert.IsNotNull(steps[3].ValidationLoss);
        Assert.IsLessThan(Math.Log(2), steps[^1].ValidationLoss!.Value);
        Assert.AreEqual(model.Training!.ValidationLoss!.Value, mlContext.CausalLanguageModeling.EvaluatePreference(Pairs(mlContext), model, start).Loss, 1e-5);
        // Trained further, adapters are merged into the copy.
        using var again = mlContext.CausalLanguageModeling.Trainers.Preference(new PreferenceTrainer.Options { Model = LanguageModel.Trained(model), MaximumSteps = 0 }).Fit(Pairs(mlContext));
        float[] expected = Losses(mlContext, model), actual = Losses(mlContext, again);
        for (int i = 0; i < expected.Length; i++)
            Assert.AreEqual(expected[i], actual[i], 1e-4 * expected[i]);
    }

    [TestMethod]
    public void A_training_resumes_bit_for_bit_and_not_with_another_method_or_coefficient_or_start()
    {
        using var folder = new TemporaryFolder();
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        PreferenceTrainer.Options Resumable(int steps)
        {
            var options = Options(start);
            (options.MaximumSteps, options.Checkpoints, options.Schedule) = (steps, new() { Folder = folder.Path, Interval = 2 }, new() { Shape = ScheduleShape.Constant });
            return options;
        }
        IDataView pairs = Pairs(mlContext);
        var whole = Resumable(6);
        whole.Checkpoints = null;
        using var expected = mlContext.CausalLanguageModeling.Trainers.Preference(whole).Fit(pairs);
        mlContext.CausalLanguageModeling.Trainers.Preference(Resumable(3)).Fit(pairs).Dispose();

        void Refused(Action<PreferenceTrainer.Options> change, string said)
        {
            var options = Resumable(6);
            change(options);
            StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(pairs)).Message, said);
        }
        using var other = Tiny.Train(mlContext, Prompted(seed: 6));
        Refused(options => options.Method = PreferenceMethod.Dpo(beta: 0.2), "and \"DPO (beta 0.2");
        Refused(options => options.Method = PreferenceMethod.SimPo(), "and \"SimPO");
        Refused(options => options.Model = LanguageModel.Trained(other), "TrainedModel");
        using var resumed = mlContext.CausalLanguageModeling.Trainers.Preference(Resumable(6)).Fit(pairs);
        Assert.AreEqual(3, resumed.Training!.Steps);
        CollectionAssert.AreEqual(Losses(mlContext, expected), Losses(mlContext, resumed));
    }

    [TestMethod]
    public void A_training_is_not_resumed_with_other_labels_of_the_same_completions()
    {
        using var folder = new TemporaryFolder();
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        var options = Options(start);
        (options.Method, options.Columns, options.MaximumSteps, options.Checkpoints) = (PreferenceMethod.Kto(), InputColumns.Labelled(), 2, new() { Folder = folder.Path });
        void Fit(bool ofChosen) => mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(Labels(mlContext, ofChosen)).Dispose();
        Fit(ofChosen: true);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => Fit(ofChosen: false)).Message, "the training data");
        Fit(ofChosen: true);
    }

    [TestMethod]
    public void A_trained_model_is_saved_loaded_and_generates_from_prompts()
    {
        using var folder = new TemporaryFolder();
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        IDataView pairs = Pairs(mlContext);
        var trainer = mlContext.CausalLanguageModeling.Trainers.Preference(Options(start));
        using var model = trainer.Fit(pairs);
        mlContext.Model.Save(model, pairs.Schema, folder["model.zip"]);
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(Losses(mlContext, model), Losses(mlContext, loaded));
        Assert.IsNotNull(mlContext.CausalLanguageModeling.CreateTextGenerator(loaded).Generate("say cat: "));
        Assert.Contains("LossSum", trainer.GetOutputSchema(Schemas.Shape(pairs.Schema)).Select(column => column.Name));
    }

    [TestMethod]
    public void What_does_not_go_together_is_refused_by_name()
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        void Refused<T>(Action<PreferenceTrainer.Options> change, string said) where T : Exception
        {
            var options = Options(start);
            change(options);
            StringAssert.StartsWith(Assert.ThrowsExactly<T>(() => mlContext.CausalLanguageModeling.Trainers.Preference(options)).Message, said);
        }
        Refused<ArgumentNullException>(options => options.Model = null!, "Model is null; expected the model to train");
        Refused<ArgumentException>(options => options.Method = PreferenceMethod.Kto(), "Columns do not suit Method, which is KTO; expected InputColumns.Labelled.");
        Refused<ArgumentException>(options => options.Columns = InputColumns.Text(), "Columns do not suit Method, which is DPO; expected InputColumns.Pairs.");
        Refused<ArgumentOutOfRangeException>(options => options.Loss = new() { LabelSmoothing = 0.1 }, "Loss.LabelSmoothing is 0.1; allowed is its default");
        Refused<ArgumentOutOfRangeException>(options => options.Loss = new() { Normalization = LossNormalization.Sum }, "Loss.Normalization is Sum; allowed is its default");
        Refused<ArgumentOutOfRangeException>(options => options.LongRows = MLNetExtension.Data.LongRows.Split, "LongRows is Split; allowed is null or Truncate");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options { Columns = InputColumns.Pairs() }));
        StringAssert.Contains(
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.Preference(Options(start)).Fit(Tiny.Rows(mlContext, Tiny.Texts))).Message, "Could not find prompt column 'Prompt'");
    }

    [TestMethod]
    public void The_learning_rate_is_the_methods_own()
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Tiny.Train(mlContext);
        double? Rate(PreferenceMethod method, LoraOptions? adapters)
        {
            PreferenceTrainer.Options options = new() { Model = LanguageModel.Trained(start), Method = method, Adapters = adapters, MaximumSteps = 0 };
            using var model = mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(Pairs(mlContext));
            return model.Options.LearningRate;
        }
        Assert.AreEqual(1e-6, Rate(PreferenceMethod.Dpo(), null));
        Assert.AreEqual(1e-5, Rate(PreferenceMethod.Dpo(), new()));
        Assert.AreEqual(8e-6, Rate(PreferenceMethod.Orpo(), null));
    }

    private static PreferenceTrainer.Options Options(CausalLanguageModelTransformer start) => new()
    {
        Model = LanguageModel.Trained(start),
        BatchSize = 4,
        LearningRate = 3e-3,
        MaximumSteps = 3,
        Schedule = new() { WarmupSteps = 1 },
        Batching = new() { MaximumTokensPerMicroBatch = 128 },
        Seed = 5,
    };

    private static CausalLanguageModelTrainer.Options Prompted(int seed)
    {
        var options = Tiny.Options();
        options.Seed = seed;
        return options;
    }

    private static IEnumerable<Pair> AllPairs() => Words.SelectMany((word, i) => new[] { $"say {word}: ", $"name it: {word} " }, (word, prompt) => (word, prompt))
        .Select((pair, i) => new Pair { Prompt = pair.prompt, Chosen = "yes", Rejected = $"no, {pair.word}", Weight = 1 + i % 3 });

    private static IDataView Pairs(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(AllPairs().ToArray());

    private static IDataView Labels(MLContext mlContext, bool ofChosen = true) => mlContext.Data.LoadFromEnumerable(AllPairs()
        .SelectMany(pair => new[] { new Labelled { Prompt = pair.Prompt, Completion = pair.Chosen, Label = ofChosen }, new Labelled { Prompt = pair.Prompt, Completion = pair.Rejected, Label = !ofChosen } }).ToArray());

    private static double[] LogProbabilities(MLContext mlContext, CausalLanguageModelTransformer model, Pair[] pairs, Func<Pair, string> completion)
    {
        using var prompted = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options { Model = LanguageModel.Trained(model), Columns = InputColumns.PromptCompletion(), MaximumSteps = 0 })
            .Fit(Data(mlContext, pairs, completion));
        return [.. mlContext.Data.CreateEnumerable<Tiny.Prediction>(prompted.Transform(Data(mlContext, pairs, completion)), false).Select(row => -(double)row.LossSum)];
    }

    private static IDataView Data(MLContext mlContext, Pair[] pairs, Func<Pair, string> completion) =>
        mlContext.Data.LoadFromEnumerable(pairs.Select(pair => new Labelled { Prompt = pair.Prompt, Completion = completion(pair) }).ToArray());

    private static float[] Losses(MLContext mlContext, CausalLanguageModelTransformer model)
    {
        IDataView rows = mlContext.Data.LoadFromEnumerable(AllPairs().Select(pair => new Whole { Text = pair.Prompt + pair.Chosen, Prompt = pair.Prompt, Chosen = pair.Chosen }).ToArray());
        return [.. mlContext.Data.CreateEnumerable<Tiny.Prediction>(model.Transform(rows), false).Select(row => row.LossSum)];
    }

    internal sealed class Pair
    {
        public string Prompt { get; set; } = "";

        public string Chosen { get; set; } = "";

        public string Rejected { get; set; } = "";

        public float Weight { get; set; }
    }

    internal sealed class Labelled
    {
        public string Prompt { get; set; } = "";

        public string Completion { get; set; } = "";

        public bool Label { get; set; }
    }

    internal sealed class Whole
    {
        public string Text { get; set; } = "";

        public string Prompt { get; set; } = "";

        public string Chosen { get; set; } = "";
    }
}
