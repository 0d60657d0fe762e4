using Microsoft.ML;

namespace MLNetExtension;

/// <summary>Trains a language model to prefer some completions to others: by DPO, IPO, ORPO, SimPO or KTO, with the gradient of the whole batch of pairs, however that is split.</summary>
/// <remarks>
/// <para>Input: see <see cref="InputColumns.Pairs"/> and <see cref="InputColumns.Labelled"/>. Output of the trained model: see <see cref="CausalLanguageModelTransformer"/>; it reads prompts and chosen completions.</para>
/// <para>A batch takes two passes through the model: one without a gradient, which gives each completion's log-probability, and one that adds up gradients. The two rows of a pair may be in different micro-batches.
/// The reference is the model that training starts from: what it says of every row is computed once, before the first step, and kept in 8 bytes a row, so that no second model is in memory; where low-rank adapters
/// are trained, it is what the model says without them. Dropout is the same in both passes, and there is none in the reference.</para>
/// <para>The device, logs and repeatability are those of <see cref="CausalLanguageModelTrainer"/>. Measure preferences by <see cref="CausalLanguageModelingCatalog.EvaluatePreference"/>.</para>
/// </remarks>
public sealed partial class PreferenceTrainer : IEstimator<CausalLanguageModelTransformer>
{
    private readonly CausalLanguageModelTrainer _trainer;

    internal PreferenceTrainer(MLContext mlContext, Options options) => _trainer = new CausalLanguageModelTrainer(mlContext, options);

    /// <summary>Trains a model. Where <see cref="CausalLanguageModelTrainer.Options.Ranks"/> is set, every rank makes this call, with the same options and data, and gets the same model.</summary>
    /// <param name="input">Read once, in order; its rows are kept as token ids, in memory or, where they are many, in a temporary file. A pair of which a completion has no token within the context is left out, with a warning.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">There is no pair to train on; or what <see cref="CausalLanguageModelTrainer.Fit"/> says of it.</exception>
    /// <exception cref="IOException">The folder of checkpoints cannot be used, or another training is using it; or the rows need a file, and it cannot be written.</exception>
    /// <exception cref="InvalidDataException">There are checkpoints, but none of them is whole; or a file of a published model is damaged.</exception>
    /// <exception cref="NotSupportedException">The published model is of a kind that is not supported; the message names it.</exception>
    /// <exception cref="OperationCanceledException"><see cref="CausalLanguageModelTrainer.Options.CancellationToken"/> asked for it.</exception>
    public CausalLanguageModelTransformer Fit(IDataView input) => _trainer.Fit(input);

    /// <summary>Gives the columns of the trained model's output.</summary>
    /// <param name="inputSchema">Has the columns that are read.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => _trainer.GetOutputSchema(inputSchema);
}
