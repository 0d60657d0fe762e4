using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>The values of the added columns in the current row. A getter calls only the functions that it needs.</summary>
/// <param name="Example">The row's tokens; needs the tokenizer alone.</param>
/// <param name="Scores">The scores of its targets; needs the network.</param>
/// <param name="GeneratedText">The text generated after it; runs the network for every token.</param>
internal sealed record RowValues(Func<TokenExample> Example, Func<TokenScores> Scores, Func<string> GeneratedText)
{
    /// <summary>Makes the getter of an added column.</summary>
    /// <exception cref="InvalidOperationException">The column is of another type.</exception>
    public ValueGetter<TValue> Getter<TValue>(OutputColumn column)
    {
        Delegate getter = column.Kind switch
        {
            OutputKind.LossSum => (ValueGetter<float>)((ref float value) => value = (float)Scores().LossSum),
            OutputKind.TokenCount => (ValueGetter<int>)((ref int value) => value = Example().TargetCount),
            OutputKind.ByteCount => (ValueGetter<int>)((ref int value) => value = Example().TargetBytes),
            OutputKind.CorrectCount => (ValueGetter<int>)((ref int value) => value = Scores().CorrectCount),
            OutputKind.Perplexity => (ValueGetter<float>)((ref float value) => value = (float)Math.Exp(Scores().LossSum / Example().TargetCount)),
            OutputKind.TokenLogProbabilities => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => value = LogProbabilities(ref value)),
            OutputKind.GeneratedText => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = GeneratedText().AsMemory()),
            _ => throw new ArgumentOutOfRangeException(nameof(column)),
        };
        return Typed<TValue>(getter, column.Name);
    }

    /// <exception cref="InvalidOperationException">The getter gives another type.</exception>
    public static ValueGetter<TValue> Typed<TValue>(Delegate getter, string column) => getter as ValueGetter<TValue>
        ?? throw new InvalidOperationException($"Invalid TValue in GetGetter for column '{column}': '{typeof(TValue)}', "
            + $"expected type: '{getter.GetType().GetGenericArguments()[0]}'.");

    // Into the caller's buffer, as ML.NET's getters do.
    private VBuffer<float> LogProbabilities(ref VBuffer<float> buffer)
    {
        var losses = Scores().Losses;
        var editor = VBufferEditor.Create(ref buffer, losses.Count);
        for (int i = 0; i < losses.Count; i++)
            editor.Values[i] = (float)-losses[i];
        return editor.Commit();
    }
}
