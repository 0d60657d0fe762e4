using Microsoft.ML;
using MLNetExtension.Training;

namespace MLNetExtension;

/// <summary>The trainers of causal language models.</summary>
public sealed class CausalLanguageModelingTrainers
{
    private readonly MLContext _mlContext;

    internal CausalLanguageModelingTrainers(MLContext mlContext) => _mlContext = mlContext;

    /// <summary>A trainer of a GPT-2 network on bytes, from scratch, on every token of a text column.</summary>
    /// <param name="textColumnName">The column of text. Default: <c>Text</c>.</param>
    /// <param name="batchSize">Rows per optimizer step, at least 1. Default: 8.</param>
    /// <param name="learningRate">The highest learning rate, above 0 and at most 1e30. Default: null, see <see cref="CausalLanguageModelTrainer.Options.LearningRate"/>.</param>
    /// <param name="maximumEpochs">How often to go through the data, at least 1. Default: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public CausalLanguageModelTrainer CausalLanguageModel(
        string textColumnName = "Text",
        int batchSize = TrainingOptions.DefaultBatchSize,
        double? learningRate = null,
        int maximumEpochs = 1)
    {
        Require.Name(textColumnName);
        Require.That(batchSize >= 1, batchSize, "at least 1");
        Require.That(learningRate is null or (> 0 and <= Require.LargestNumber), learningRate, "above 0 and at most 1E+30");
        Require.That(maximumEpochs >= 1, maximumEpochs, "at least 1");
        return CausalLanguageModel(new CausalLanguageModelTrainer.Options
        {
            Columns = InputColumns.Text(textColumnName),
            BatchSize = batchSize,
            LearningRate = learningRate,
            MaximumEpochs = maximumEpochs,
        });
    }

    /// <summary>A trainer with every setting open: prompt and completion columns, the network's size, schedule, limits and reports.</summary>
    /// <param name="options">Copied: later changes to it have no effect.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it.</exception>
    public CausalLanguageModelTrainer CausalLanguageModel(CausalLanguageModelTrainer.Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new CausalLanguageModelTrainer(_mlContext, options);
    }

    /// <summary>A trainer on preferences: pairs of a better and a worse completion, or completions that are good or bad each by itself.</summary>
    /// <param name="options">Copied: later changes to it have no effect.</param>
    /// <exception cref="ArgumentException">Options do not go together.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it.</exception>
    public PreferenceTrainer Preference(PreferenceTrainer.Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PreferenceTrainer(_mlContext, options);
    }
}
