using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>What must be the same for a training to resume from the checkpoints of another.</summary>
internal static class ResumeSettings
{
    private const string TrainingData = "the training data", Teacher = "the teacher's weights", DecayRule = "DecayRule";

    /// <summary>
    /// Gives the options that count, by the names under which checkpoints store them, and hashes of the training and the validation data. The names and the text of the values never change: a checkpoint
    /// of an earlier version is compared with them. A teacher counts by a hash of its weights, wherever they come from. Column names, reports, the memory limit and the limits of steps, epochs and time do not count.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Collect(CausalLanguageModelTrainer.Options options, TrainingRows rows, string? teacher = null)
    {
        var settings = new Dictionary<string, string>();
        var stored = new Dictionary<string, object?>(Values(options).Concat(LaterValues(options)));
        foreach (var setting in JsonSerializer.SerializeToElement(stored, ArchiveJson.Options).EnumerateObject())
            settings[setting.Name] = setting.Value.GetRawText();
        settings[TrainingData] = Hash(rows.Rows.Examples);
        if (teacher is not null)
            settings[Teacher] = teacher;
        settings["the validation data"] = rows.Validation is { } validation ? Hash(validation.Rows.Examples) : "none";
        if (rows.OrderValues is { } values)
            settings["the values that the order of rows follows"] = Hash(values);
        if (rows.Reference is { } reference)
            settings["what the reference says"] = Hash([.. reference, .. rows.Validation?.Reference ?? []]);
        return settings;
    }

    /// <summary>Gives, by the name of a setting, what to say where a checkpoint has another: embeddings decayed, and long rows of text were truncated before they were split.</summary>
    public static IReadOnlyDictionary<string, string> Hints(RowReaderResult rows)
    {
        var hints = new Dictionary<string, string>
        {
            [DecayRule] = "Earlier versions let embeddings decay, as DecayRule = WeightDecayRule.Matrices does (--decay-rule matrices).",
        };
        if (rows.Counts.Split > 0)
        {
            hints[TrainingData] = FormattableString.Invariant(
                $"Here {rows.Counts.Split} rows that are longer than the context are split; earlier versions truncated them, as LongRows = LongRows.Truncate does (--long-rows truncate).");
        }
        return hints;
    }

    private static Dictionary<string, object?> Values(CausalLanguageModelTrainer.Options options)
    {
        // A published model has its own sizes: the defaults stand in for those that it is not asked for. What is derived stands as the first version's default, and the floor as a learning rate.
        var network = options.Model as LanguageModel.Gpt2Network ?? new LanguageModel.Gpt2Network();
        var adamW = options.Optimizer as AdamWOptions;
        return new Dictionary<string, object?>
        {
            ["PretrainedFolder"] = (options.Model as LanguageModel.PretrainedModel)?.Folder,
            ["TokenizerFolder"] = network.TokenizerFolder,
            ["Layers"] = network.Layers,
            ["Heads"] = network.Heads,
            ["Width"] = network.Width,
            ["ContextLength"] = options.Model.ContextLength,
            ["Dropout"] = network.Dropout,
            ["Experts"] = network.Experts,
            ["ExpertsPerToken"] = network.ExpertsPerToken,
            ["Lora"] = options.Adapters is { } adapters ? new { adapters.Rank, adapters.Alpha, adapters.Dropout, adapters.TargetModules, adapters.RankStabilized } : null,
            ["BatchSize"] = options.BatchSize,
            ["LearningRate"] = options.LearningRate,
            ["Seed"] = options.Seed,
            ["MaximumNonFiniteSteps"] = options.MaximumNonFiniteSteps,
            ["Beta1"] = adamW?.Beta1,
            ["Beta2"] = adamW?.Beta2,
            ["Epsilon"] = adamW?.Epsilon,
            ["WeightDecay"] = options.Optimizer.WeightDecay,
            ["MaximumGradientNorm"] = options.Optimizer.MaximumGradientNorm,
            ["WarmupSteps"] = options.Schedule.WarmupSteps ?? ScheduleOptions.MostWarmupSteps,
            ["MinimumLearningRate"] = Math.Round(options.ToTrainingOptions().MinimumLearningRate, 15),
            ["LossNormalization"] = options.Loss.Normalization,
            ["LabelSmoothing"] = options.Loss.LabelSmoothing,
            ["ZLoss"] = options.Loss.ZLoss,
            ["RouterBalanceCoefficient"] = options.Loss.RouterBalanceCoefficient ?? CausalLanguageModel.DefaultRouterBalanceCoefficient,
            ["RouterBalanceScope"] = options.Loss.RouterBalanceScope,
            ["MaximumTokensPerMicroBatch"] = options.Batching.MaximumTokensPerMicroBatch,
            ["Threads"] = options.Batching.Threads,
            ["Workers"] = options.Batching.Workers,
            ["PackRows"] = options.Batching.PackRows,
            ["ActivationRecomputation"] = options.Batching.ActivationRecomputation,
            ["ComputePrecision"] = options.Batching.Precision,
            ["EvaluationInterval"] = options.Validation?.Interval.Setting ?? ValidationOptions.DefaultInterval,
            ["Patience"] = options.Validation?.Patience,
        };
    }

    // Options that came later are stored only where they are not at their defaults: a checkpoint of an earlier version has none of them.
    private static Dictionary<string, object?> LaterValues(CausalLanguageModelTrainer.Options options)
    {
        var values = new Dictionary<string, object?>();
        if (options.Model is LanguageModel.CustomModel custom)
            values["CustomModel"] = custom.Name;
        if (options.Model is LanguageModel.TrainedModel trained)
            values["TrainedModel"] = trained.Source.HashWeights();
        if (options.Preference is { } method)
            values["Preference"] = method.ToString();
        if (options.RowOrder != RowOrder.Shuffled)
            values["RowOrder"] = options.RowOrder.ToString();
        if (options.BatchTargetTokens is { } tokens)
            values["BatchTargetTokens"] = tokens;
        if (options.Loss.PromptWeight != 0)
            values["PromptWeight"] = options.Loss.PromptWeight;
        if (options.Optimizer.DecayRule != WeightDecayRule.Matrices)
            values[DecayRule] = options.Optimizer.DecayRule;
        if (options.Optimizer.DecayExclusions.Count > 0)
            values["DecayExclusions"] = options.Optimizer.DecayExclusions;
        if (options.Optimizer is not AdamWOptions { StateBits: 32 })
            values["Optimizer"] = options.Optimizer with { WeightDecay = null, DecayRule = default, DecayExclusions = [], Groups = [], MaximumGradientNorm = 0 };
        if (options.Optimizer.Groups.Count > 0)
            values["ParameterGroups"] = options.Optimizer.Groups;
        if (options.Schedule.Shape != ScheduleShape.Cosine)
            values["Schedule"] = options.Schedule.Shape;
        if (options.Schedule.DecayShare != ScheduleOptions.DefaultDecayShare)
            values["DecayShare"] = options.Schedule.DecayShare;
        if (options.Schedule.WarmupShare is { } share)
            values["WarmupShare"] = share;
        if (options.Loss.Kind != LossKind.CrossEntropy)
            values["LossKind"] = JsonSerializer.SerializeToElement(options.Loss.Kind, ArchiveJson.Options);
        if (options.Distillation is { } distillation)
        {
            values["Distillation.Divergence"] = JsonSerializer.SerializeToElement(distillation.Divergence, ArchiveJson.Options);
            (values["Distillation.Share"], values["Distillation.Temperature"]) = (distillation.Share, distillation.Temperature);
        }
        if (options.Loss.TokenLoss is { } loss)
            values["TokenLoss"] = loss.GetType().Name;
        if (options.Adapters is { UseDora: true })
            values["Dora"] = true;
        if (options.Adapters is { Initialization: not LoraInitialization.Kaiming and var initialization })
            values["AdapterInitialization"] = initialization;
        if (options.Adapters is { BasePrecision: not BasePrecision.Computation and var precision })
            values["BasePrecision"] = precision;
        if (options.Adapters is { TrainedModules: { Count: > 0 } modules })
            values["TrainedModules"] = modules;
        if (options.Regularization.EmbeddingNoise != 0)
            values["EmbeddingNoise"] = options.Regularization.EmbeddingNoise;
        // Which weights the model gets at the end is for whoever ends the training; only what is validated changes it before.
        if (options.Regularization.Averaging is { } averaging)
            values["Averaging"] = options.Validation is null ? averaging with { UseInModel = true } : averaging;
        if (options.Model is LanguageModel.PretrainedModel { Dropout: { } dropout })
            values["PretrainedDropout"] = dropout;
        return values;
    }

    private static string Hash(IReadOnlyList<double> values)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> bytes = stackalloc byte[sizeof(double)];
        foreach (double value in values)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string Hash(IReadOnlyList<TokenExample> examples)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> head = stackalloc byte[sizeof(int) + sizeof(double)];
        foreach (var example in examples)
        {
            BinaryPrimitives.WriteInt32LittleEndian(head, example.Length);
            BinaryPrimitives.WriteDoubleLittleEndian(head[sizeof(int)..], example.Weight);
            hash.AppendData(head);
            hash.AppendData(MemoryMarshal.AsBytes<int>(example.Ids));
            hash.AppendData(MemoryMarshal.AsBytes<int>(example.Targets));
            if (example.IsUndesirable)
                hash.AppendData([1]);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
