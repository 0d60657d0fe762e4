using System.Reflection;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.Losses;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Which options must be the same for a training to be resumed: found by reflection, so that an option which is added is thought of here.</summary>
[TestClass]
public sealed class ResumeSettingsTests
{
    // What does not change the training that a checkpoint is of, or may change on purpose.
    private static readonly string[] NotCounting =
    [
        "Columns", "MaximumSteps", "MaximumEpochs", "MaximumDuration", "ReportInterval", "Progress", "CancellationToken", "StopToken",
        "Batching.MemoryLimitMiB",
        "Checkpoints", "Checkpoints.Folder", "Checkpoints.Interval", "Checkpoints.Kept", "Checkpoints.RestartIfDamaged",
        "Outputs.LossSum", "Outputs.TokenCount", "Outputs.ByteCount", "Outputs.CorrectCount", "Outputs.Perplexity", "Outputs.TokenLogProbabilities", "Outputs.GeneratedText", "Outputs.Generation",
        // A teacher's weights are hashed, and rows.
        "Distillation.Teacher", "Validation", "Validation.Rows", "Validation.Fraction", "LongRows", "TokenCacheFolder",
        // A run is resumed by any number of processes.
        "Ranks", "Ranks.ShardOptimizer", "OnStart",
        // Measured and written beside the training.
        "MeasureMatrixPeak", "Validation.Prompts", "Validation.Generation",
    ];

    private static readonly Dictionary<string, object> Others = new()
    {
        ["Adapters"] = new LoraOptions { Rank = 3 },
        ["Model"] = LanguageModel.Pretrained("elsewhere"),
        ["Optimizer.Groups"] = new ParameterGroup[] { new() { Names = ["*"] } },
        ["Optimizer.StateBits"] = 8,
        ["Regularization.Averaging"] = WeightAveraging.Exponential(),
        ["RowOrder"] = RowOrder.AsGiven,
        ["Validation.Interval"] = TrainingInterval.Epochs(0.5),
        ["Loss.Kind"] = LossKind.Focal(),
        ["Distillation"] = new DistillationOptions { Teacher = TeacherModel.Pretrained("teacher"), Share = 0.25 },
        ["Distillation.Divergence"] = Divergence.ReverseKl,
        ["Loss.TokenLoss"] = CustomTokenLoss.OfLogits((logits, _, _) => new LossSum(logits.sum(), 1)),
    };

    public static IEnumerable<string> Names => Leaves().Select(leaf => leaf.Name);

    // Seen to fail with: "WeightDecay" and "Patience" left out of the settings; an option added to BatchingOptions.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void An_option_is_part_of_what_a_checkpoint_must_match_or_named_here_as_not_counting(string name)
    {
        (string _, MemberInfo? group, MemberInfo option) = Leaves().Single(leaf => leaf.Name == name);
        var options = Tiny.Options();
        options.Validation = new() { Fraction = 0.5 };
        options.Checkpoints = new() { Folder = "here" };
        options.Ranks = RankOptions.Mpi();
        options.Distillation = new() { Teacher = TeacherModel.Pretrained("teacher") };
        var before = Collect(options);
        object owner = group is null ? options : Get(group, options)!;
        Set(option, owner, Others.GetValueOrDefault(name) ?? Another(TypeOf(option), Get(option, owner), name));
        var after = Collect(options);

        bool counts = before.Count != after.Count || before.Any(setting => after.GetValueOrDefault(setting.Key) != setting.Value);
        Assert.AreEqual(!NotCounting.Contains(name), counts, counts ? "it counts, and is named as not counting" : "it is not in ResumeSettings: add it there, or to this test's list");
    }

    [TestMethod]
    public void Another_optimizer_or_another_number_of_one_is_another_training()
    {
        OptimizerOptions[] optimizers =
        [
            new AdamWOptions(), new AdamWOptions { StateBits = 8 }, new MuonOptions(), new MuonOptions { Momentum = 0.9 }, new AdafactorOptions(), new AdafactorOptions { ClippingThreshold = 2 }, new LionOptions(),
            new LionOptions { Beta2 = 0.9 }, new SgdOptions(), new SgdOptions { Nesterov = true },
        ];
        string[] settings = [.. optimizers.Select(optimizer => Collect(WithOptimizer(optimizer))).Select(own => string.Join('\n', own.Select(pair => $"{pair.Key} {pair.Value}").Order()))];
        CollectionAssert.AllItemsAreUnique(settings);
    }

    // A checkpoint of a version before the options that came later has the text of the five that there were.
    [TestMethod]
    public void Every_option_of_adapters_counts_and_those_at_their_defaults_leave_earlier_checkpoints_as_they_are()
    {
        LoraOptions plain = new() { Rank = 3, TargetModules = ["q_proj"] };
        LoraOptions[] kinds =
        [
            plain, plain with { Rank = 4 }, plain with { Alpha = 2 }, plain with { Dropout = 0.1 }, plain with { TargetModules = ["*"] }, plain with { RankStabilized = true }, plain with { UseDora = true },
            plain with { Initialization = LoraInitialization.Pissa }, plain with { TrainedModules = ["lm_head"] },
            plain with { BasePrecision = BasePrecision.Int8 },
        ];
        Assert.HasCount(typeof(LoraOptions).GetProperties().Count(property => property.SetMethod is not null), kinds.Skip(1));
        CollectionAssert.AllItemsAreUnique(kinds.Select(kind => string.Join('\n', Collect(WithAdapters(kind)).Select(pair => $"{pair.Key} {pair.Value}").Order())).ToArray());

        IReadOnlyDictionary<string, string> before = Collect(Tiny.Options()), now = Collect(WithAdapters(plain));
        CollectionAssert.AreEquivalent(before.Keys.ToArray(), now.Keys.ToArray());
        Assert.AreEqual("""{"rank":3,"alpha":8,"dropout":0,"targetModules":["q_proj"],"rankStabilized":false}""", string.Concat(now["Lora"].Where(c => !char.IsWhiteSpace(c))));

        static CausalLanguageModelTrainer.Options WithAdapters(LoraOptions adapters)
        {
            var options = Tiny.Options();
            options.Adapters = adapters;
            return options;
        }
    }

    [TestMethod]
    public void Another_loss_another_divergence_and_another_number_of_one_is_another_training()
    {
        LossKind[] kinds = [LossKind.CrossEntropy, LossKind.Dft, LossKind.Focal(), LossKind.Focal(1)];
        Divergence[] divergences = [Divergence.ForwardKl, Divergence.ReverseKl, Divergence.JensenShannon(), Divergence.JensenShannon(0.1)];
        CollectionAssert.AllItemsAreUnique(kinds.Select(kind => Text(options => options.Loss = new() { Kind = kind })).ToArray());
        CollectionAssert.AllItemsAreUnique(divergences.Select(own => Text(options => options.Distillation = new() { Teacher = TeacherModel.Pretrained("teacher"), Divergence = own })).ToArray());

        string Text(Action<CausalLanguageModelTrainer.Options> set)
        {
            var options = Tiny.Options();
            set(options);
            return string.Join('\n', Collect(options).Select(pair => $"{pair.Key} {pair.Value}").Order());
        }
    }

    [TestMethod]
    public void Only_options_that_there_are_are_named_as_not_counting() =>
        CollectionAssert.IsSubsetOf(NotCounting, Leaves().Select(leaf => leaf.Name).ToArray());

    private static CausalLanguageModelTrainer.Options WithOptimizer(OptimizerOptions optimizer)
    {
        var options = Tiny.Options();
        options.Optimizer = optimizer;
        return options;
    }

    private static IReadOnlyDictionary<string, string> Collect(CausalLanguageModelTrainer.Options options) =>
        ResumeSettings.Collect(options, new TrainingRows(new RowReaderResult(new StoredRows(new TokenStore(new MemoryBytes(), new RowIndex(), bytesPerId: 2, end: 0), default))));

    // The options at the top, and those of every group of the library's own records; a type with cases is one option, and so is an optional group.
    private static IEnumerable<(string Name, MemberInfo? Group, MemberInfo Option)> Leaves()
    {
        foreach (FieldInfo field in typeof(CausalLanguageModelTrainer.Options).GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            // Of the optimizers, that of the defaults.
            Type group = field.FieldType == typeof(OptimizerOptions) ? typeof(AdamWOptions) : field.FieldType;
            bool isGroup = group is { IsSealed: true, IsClass: true } && group.Name.EndsWith("Options", StringComparison.Ordinal);
            bool isOptional = new NullabilityInfoContext().Create(field).ReadState == NullabilityState.Nullable;
            if (!isGroup || isOptional)
                yield return (field.Name, null, field);
            if (!isGroup || field.FieldType == typeof(LoraOptions))
                continue;
            foreach (PropertyInfo property in group.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null))
                yield return ($"{field.Name}.{property.Name}", field, property);
        }
    }

    private static object? Another(Type type, object? value, string name) => (Nullable.GetUnderlyingType(type) ?? type, value) switch
    {
        (var t, int number) when t == typeof(int) => number + 1,
        (var t, null) when t == typeof(int) => 7,
        (var t, double number) when t == typeof(double) => number + 0.125,
        (var t, null) when t == typeof(double) => 0.125,
        (var t, bool flag) when t == typeof(bool) => !flag,
        (var t, null) when t == typeof(bool) => true,
        (var t, _) when t == typeof(TimeSpan) => TimeSpan.FromDays(3),
        (var t, _) when t == typeof(string) => value + "x",
        (var t, _) when t == typeof(IReadOnlyList<string>) => new[] { "x" },
        ({ IsEnum: true } t, _) => Enum.GetValues(t).Cast<object>().First(other => !other.Equals(value)),
        _ when NotCounting.Contains(name) => value,
        _ => throw new NotSupportedException($"{name} is a {type.Name}: tell this test another value of it."),
    };

    private static Type TypeOf(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    private static object? Get(MemberInfo member, object owner) => member is FieldInfo field ? field.GetValue(owner) : ((PropertyInfo)member).GetValue(owner);

    private static void Set(MemberInfo member, object owner, object? value)
    {
        if (member is FieldInfo field)
            field.SetValue(owner, value);
        else
            ((PropertyInfo)member).SetValue(owner, value);
    }
}
