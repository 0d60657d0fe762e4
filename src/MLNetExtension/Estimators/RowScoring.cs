using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Persistence;

namespace MLNetExtension.Estimators;

/// <summary>Encodes and scores rows with a trained model. It keeps nothing of a row, so any number of threads may share one.</summary>
/// <param name="model">Stays its owner's.</param>
/// <param name="maximumTokensPerMicroBatch">Most positions that pass through the network together, padding included.</param>
internal sealed class RowScoring(TrainedLanguageModel model, int maximumTokensPerMicroBatch)
{
    private readonly TokenExampleEncoder _encoder = new(model.Tokenizer, model.EndOfText, model.Network.ContextLength);
    private readonly RowScorer _scorer = new(model.Network, maximumTokensPerMicroBatch);

    public TokenExample Encode(TextRow row, long position) => _encoder.Encode(row, position);

    public IReadOnlyList<RowScore> Score(IReadOnlyList<TokenExample> examples)
    {
        model.ThrowIfDisposed();
        return _scorer.Score(examples);
    }

    /// <summary>Makes the getter of an added column from what gives the row's example and, where the column needs the network, its score.</summary>
    /// <exception cref="InvalidOperationException">The column is of another type.</exception>
    public static ValueGetter<TValue> Getter<TValue>(OutputColumn column, Func<TokenExample> example, Func<RowScore> score)
    {
        Delegate getter = column.Kind switch
        {
            OutputKind.LossSum => (ValueGetter<float>)((ref float value) => value = (float)score().LossSum),
            OutputKind.TokenCount => (ValueGetter<int>)((ref int value) => value = example().TargetCount),
            OutputKind.ByteCount => (ValueGetter<int>)((ref int value) => value = example().TargetBytes),
            _ => throw new ArgumentOutOfRangeException(nameof(column)),
        };
        return Typed<TValue>(getter, column.Name);
    }

    /// <exception cref="InvalidOperationException">The getter gives another type.</exception>
    public static ValueGetter<TValue> Typed<TValue>(Delegate getter, string column) => getter as ValueGetter<TValue>
        ?? throw new InvalidOperationException($"Invalid TValue in GetGetter for column '{column}': '{typeof(TValue)}', "
            + $"expected type: '{getter.GetType().GetGenericArguments()[0]}'.");
}
