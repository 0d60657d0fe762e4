using Microsoft.ML;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet.Preference;

/// <summary>What another model says of pairs, computed once and stored in columns.</summary>
[TestClass]
public sealed class ReferenceColumnsTests
{
    private static readonly MLContext Context = new(seed: 1);

    // The third pair does not fit the context, so that later ones have another place among the examples than among the rows.
    private static readonly (string Prompt, string Chosen, string Rejected)[] Texts =
        [.. Enumerable.Range(0, 9).Select(i => (new string('p', i == 2 ? 100 : i), $"{i}", $"not {i}"))];

    // By the model that the columns are from. Seen to fail with: values by the place of the example; the columns of the pair swapped.
    [TestMethod]
    public void Columns_say_what_the_model_says_that_they_are_from()
    {
        using var model = Tiny.Train(Context, Options(seed: 5));
        using var reference = Tiny.Train(Context, Options(seed: 6));
        PreferenceMetrics expected = Context.CausalLanguageModeling.EvaluatePreference(Data(), model, reference, method: PreferenceMethod.Dpo(0.3));
        PreferenceMetrics actual = Context.CausalLanguageModeling.EvaluatePreference(Data(reference), model, columns: Columns, method: PreferenceMethod.Dpo(0.3));
        PreferenceMetrics own = Context.CausalLanguageModeling.EvaluatePreference(Data(), model);
        Assert.AreEqual((8L, 1L), (actual.Pairs, actual.SkippedPairs));
        Assert.IsGreaterThan(1e-2, Math.Abs(expected.RewardMargin - own.RewardMargin), "the reference matters");
        AreEqual(expected, actual);
    }

    // The batch is all pairs, so that the first step's report and the validation before it are of the same numbers as an evaluation.
    [TestMethod]
    public void Training_takes_the_reference_from_columns_and_asks_no_model()
    {
        using var start = Tiny.Train(Context, Options(seed: 5));
        using var reference = Tiny.Train(Context, Options(seed: 6));
        PreferenceMetrics expected = Context.CausalLanguageModeling.EvaluatePreference(Data(), start, reference);
        List<StepReport> steps = [];
        List<string> log = Tiny.LogOf(Context);
        int scored = 0;
        PreferenceTrainer.Options options = Training(start);
        options.Progress = new Tiny.Progress(steps.Add);
        options.OnStart = transformer => TinyModels.FirstLayer(transformer.Scoring.Model.Network.Blocks[0]).register_forward_pre_hook((layer, hidden) =>
        {
            scored += layer.training ? 0 : 1;
            return hidden;
        });
        using var model = Context.CausalLanguageModeling.Trainers.Preference(options).Fit(Data(reference));
        Assert.AreEqual(expected.Loss, steps[0].Loss, 1e-5);
        Assert.AreEqual(expected.RewardMargin, steps[0].Preference!.RewardMargin, 1e-5);
        Assert.AreEqual(0, scored);
        Assert.ContainsSingle(line => line.Contains("the reference is what columns say"), log);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void A_validation_takes_it_from_columns_too(bool fraction)
    {
        using var start = Tiny.Train(Context, Options(seed: 5));
        using var reference = Tiny.Train(Context, Options(seed: 6));
        PreferenceTrainer.Options options = Training(start);
        (options.LearningRate, options.Seed) = (1e-30, 1);
        options.Validation = fraction ? new() { Fraction = 0.4, Interval = 1 } : new() { Rows = Data(reference), Interval = 1 };
        List<StepReport> steps = [];
        options.Progress = new Tiny.Progress(steps.Add);
        using var model = Context.CausalLanguageModeling.Trainers.Preference(options).Fit(Data(reference));
        if (fraction)
        {
            // What is trained on and what is held out are all pairs.
            int held = 8 - steps[0].Rows;
            Assert.IsGreaterThan(0, held);
            double all = Context.CausalLanguageModeling.EvaluatePreference(Data(), start, reference).Loss;
            Assert.AreEqual(8 * all, steps[0].Rows * steps[0].Loss + held * steps[0].ValidationLoss!.Value, 1e-4);
        }
        else
        {
            Assert.AreEqual(Context.CausalLanguageModeling.EvaluatePreference(Data(), start, reference).Loss, steps[0].ValidationLoss!.Value, 1e-5);
        }
    }

    [TestMethod]
    public void A_training_is_not_resumed_with_another_reference()
    {
        using TemporaryFolder folder = new();
        using var start = Tiny.Train(Context, Options(seed: 5));
        using var reference = Tiny.Train(Context, Options(seed: 6));
        PreferenceTrainer.Options options = Training(start);
        options.Checkpoints = new() { Folder = folder.Path };
        Context.CausalLanguageModeling.Trainers.Preference(options).Fit(Data(reference)).Dispose();
        StringAssert.Contains(
            Assert.ThrowsExactly<InvalidOperationException>(() => Context.CausalLanguageModeling.Trainers.Preference(options).Fit(Data(start))).Message, "what the reference says");
        Context.CausalLanguageModeling.Trainers.Preference(options).Fit(Data(reference)).Dispose();
    }

    [TestMethod]
    public void What_cannot_be_a_reference_is_refused_by_name()
    {
        using var start = Tiny.Train(Context, Options(seed: 5));
        void Refused<T>(Action action, string said) where T : Exception => StringAssert.StartsWith(Assert.ThrowsExactly<T>(action).Message, said);
        void Fit(InputColumns columns, IDataView? data = null, PreferenceMethod? method = null)
        {
            PreferenceTrainer.Options options = Training(start);
            (options.Columns, options.Method) = (columns, method ?? options.Method);
            Context.CausalLanguageModeling.Trainers.Preference(options).Fit(data ?? Data(start)).Dispose();
        }
        Refused<ArgumentException>(() => Fit(InputColumns.Pairs(chosenReference: "ChosenReference")), "Columns have a reference of the chosen completion alone; expected one of both, or of none.");
        Refused<ArgumentException>(() => Fit(Columns, method: PreferenceMethod.SimPo()), "Columns have a reference, but Method is SimPO, which has none.");
        Refused<ArgumentOutOfRangeException>(() => Fit(InputColumns.Pairs(chosenReference: "ChosenReference", rejectedReference: "No")), "Could not find rejected reference column 'No'");
        Refused<ArgumentOutOfRangeException>(() => Fit(InputColumns.Pairs(chosenReference: "Chosen", rejectedReference: "RejectedReference")), "Schema mismatch for chosen reference column 'Chosen': expected a number, got String");
        foreach ((float value, string found) in new[] { (float.NaN, "NaN"), (0.5f, "0.5"), (float.NegativeInfinity, "-Infinity") })
        {
            IDataView data = Context.Data.LoadFromEnumerable(Texts.Select((text, i) => new Row(text.Prompt, text.Chosen, text.Rejected, -1, i == 4 ? value : -1)));
            Refused<InvalidOperationException>(() => Fit(Columns, data), $"The value of row 4 in column 'RejectedReference', which is what the reference says of a completion, is {found}; allowed is a finite number of at most 0.");
        }
        Refused<ArgumentException>(() => Context.CausalLanguageModeling.EvaluatePreference(Data(start), start, start, Columns), "columns have a reference, and reference is given, too");
    }

    private static InputColumns Columns => InputColumns.Pairs(chosenReference: "ChosenReference", rejectedReference: "RejectedReference");

    private static CausalLanguageModelTrainer.Options Options(int seed)
    {
        var options = Tiny.Options();
        options.Seed = seed;
        return options;
    }

    private static PreferenceTrainer.Options Training(CausalLanguageModelTransformer start) => new()
    {
        Columns = Columns,
        Model = LanguageModel.Trained(start),
        BatchSize = Texts.Length,
        MaximumSteps = 1,
        LearningRate = 1e-3,
        Batching = new() { MaximumTokensPerMicroBatch = 128 },
        Seed = 5,
    };

    private static IDataView Data(CausalLanguageModelTransformer? reference = null)
    {
        double[] chosen = LogProbabilities(reference, text => text.Chosen), rejected = LogProbabilities(reference, text => text.Rejected);
        return Context.Data.LoadFromEnumerable(Texts.Select((text, i) => new Row(text.Prompt, text.Chosen, text.Rejected, chosen[i], (float)rejected[i])).ToArray());
    }

    // As a user computes them: the output of a model that reads prompts with completions.
    private static double[] LogProbabilities(CausalLanguageModelTransformer? model, Func<(string Prompt, string Chosen, string Rejected), string> completion)
    {
        if (model is null)
            return new double[Texts.Length];
        IDataView rows = Context.Data.LoadFromEnumerable(Texts.Select(text => new Completed(text.Prompt, completion(text))).ToArray());
        using var prompted = Context.CausalLanguageModeling.Trainers.CausalLanguageModel(
            new CausalLanguageModelTrainer.Options { Model = LanguageModel.Trained(model), Columns = InputColumns.PromptCompletion(), MaximumSteps = 0 }).Fit(rows);
        return [.. Context.Data.CreateEnumerable<Tiny.Prediction>(prompted.Transform(rows), false).Select(row => -(double)row.LossSum)];
    }

    private static void AreEqual(PreferenceMetrics expected, PreferenceMetrics actual)
    {
        Assert.AreEqual(expected.Loss, actual.Loss, 1e-5);
        Assert.AreEqual(expected.ChosenReward, actual.ChosenReward, 1e-4);
        Assert.AreEqual(expected.RejectedReward, actual.RejectedReward, 1e-4);
        Assert.AreEqual(expected.Accuracy, actual.Accuracy);
    }

    private sealed record Row(string Prompt, string Chosen, string Rejected, double ChosenReference, float RejectedReference);

    private sealed record Completed(string Prompt, string Completion);
}
