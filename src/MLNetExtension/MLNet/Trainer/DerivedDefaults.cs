using MLNetExtension.Data;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The defaults that follow from what is trained: a new network takes a high learning rate, a pretrained model forgets under one.</summary>
internal static class DerivedDefaults
{
    // A width of 128 and 3e-3, and from there on in inverse proportion: 5e-4 at GPT-2's 768 and 1.9e-4 at 2,048, where Brown et al. (2020, table 2.1) have 6e-4 and 2e-4.
    private const int ReferenceWidth = 128;

    /// <summary>Fills in what the options leave open.</summary>
    /// <param name="options">The options; they stay as they are.</param>
    /// <returns>A copy in which learning rate, weight decay, the optimizer's coefficients and what becomes of long rows are given.</returns>
    public static CausalLanguageModelTrainer.Options FillIn(CausalLanguageModelTrainer.Options options)
    {
        TrainedKind trained = KindOf(options);
        var filled = options.Copy();
        filled.LearningRate ??= options.Optimizer.DeriveLearningRate(trained, LearningRateOf(options));
        filled.LongRows ??= LongRowsOf(options.Columns);
        filled.Optimizer = options.Optimizer.FillIn(trained);
        return filled;
    }

    // A piece of a text is text; a piece of an answer is an answer to nothing.
    private static LongRows LongRowsOf(InputColumns columns) => columns is InputColumns.TextColumn or InputColumns.TokenIdsColumn ? LongRows.Split : LongRows.Truncate;

    private static TrainedKind KindOf(CausalLanguageModelTrainer.Options options) => options switch
    {
        { Adapters: not null } => TrainedKind.Adapters,
        { Model: LanguageModel.PretrainedModel or LanguageModel.TrainedModel } => TrainedKind.Pretrained,
        _ => TrainedKind.New,
    };

    // AdamW's.
    private static double LearningRateOf(CausalLanguageModelTrainer.Options options) => options switch
    {
        { Preference: { } method, Adapters: not null } => method.AdapterLearningRate,
        { Preference: { } method } => method.LearningRate,
        { Adapters: not null } => 2e-4,
        { Model: LanguageModel.Gpt2Network network } => TrainingOptions.DefaultLearningRate * Math.Min(1, ReferenceWidth / (double)network.Width),
        // Its width is not known: the rate that Adam is known for (Kingma and Ba, 2015).
        { Model: LanguageModel.CustomModel } => 1e-3,
        _ => 5e-5,
    };
}
