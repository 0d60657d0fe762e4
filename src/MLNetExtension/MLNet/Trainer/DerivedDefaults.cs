using MLNetExtension.Data;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The defaults that follow from what is trained: a new network takes a high learning rate, a pretrained model forgets under one.</summary>
/// <param name="LearningRate">The peak of the learning rate.</param>
/// <param name="Beta2">Decay of AdamW's running mean of squared gradients.</param>
/// <param name="WeightDecay">AdamW's decoupled weight decay.</param>
internal readonly record struct DerivedDefaults(double LearningRate, double Beta2, double WeightDecay)
{
    // A width of 128 and 3e-3, and from there on in inverse proportion: 5e-4 at GPT-2's 768 and 1.9e-4 at 2,048, where Brown et al. (2020, table 2.1) have 6e-4 and 2e-4.
    private const int ReferenceWidth = 128;

    /// <summary>Fills in what the options leave open.</summary>
    /// <param name="options">The options; they stay as they are.</param>
    /// <returns>A copy in which learning rate, weight decay, the second beta and what becomes of long rows are given.</returns>
    public static CausalLanguageModelTrainer.Options FillIn(CausalLanguageModelTrainer.Options options)
    {
        var defaults = For(options);
        var filled = options.Copy();
        filled.LearningRate ??= defaults.LearningRate;
        filled.LongRows ??= LongRowsOf(options.Columns);
        filled.Optimizer = options.Optimizer with
        {
            Beta2 = options.Optimizer.Beta2 ?? defaults.Beta2,
            WeightDecay = options.Optimizer.WeightDecay ?? defaults.WeightDecay,
        };
        return filled;
    }

    // A piece of a text is text; a piece of an answer is an answer to nothing.
    private static LongRows LongRowsOf(InputColumns columns) => columns is InputColumns.TextColumn or InputColumns.TokenIdsColumn ? LongRows.Split : LongRows.Truncate;

    private static DerivedDefaults For(CausalLanguageModelTrainer.Options options) => options switch
    {
        { Adapters: not null } => new(2e-4, 0.999, 0),
        { Model: LanguageModel.Gpt2Network network } => FromScratch(TrainingOptions.DefaultLearningRate * Math.Min(1, ReferenceWidth / (double)network.Width)),
        // Its width is not known: the rate that Adam is known for (Kingma and Ba, 2015).
        { Model: LanguageModel.CustomModel } => FromScratch(1e-3),
        _ => new(5e-5, 0.999, 0.01),
    };

    private static DerivedDefaults FromScratch(double learningRate) => new(learningRate, AdamWOptions.DefaultBeta2, AdamWOptions.DefaultWeightDecay);
}
