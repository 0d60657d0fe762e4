using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>The names of the columns that an evaluation adds up.</summary>
/// <param name="LossSum">The column of summed losses, Single.</param>
/// <param name="TokenCount">That of the numbers of target tokens, Int32.</param>
/// <param name="ByteCount">That of the numbers of their bytes, Int32.</param>
/// <param name="CorrectCount">That of the numbers of those that the model ranks first, Int32.</param>
/// <param name="Weight">That of the rows' weights, Single; null where every row weighs 1.</param>
internal sealed record ScoredColumns(string LossSum, string TokenCount, string ByteCount, string CorrectCount, string? Weight)
{
    /// <summary>Reads the columns back from any data that has them, row by row, and adds them up. What a model of several ranks has transformed is split among them, and all get the same sums.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">There is nothing to add up, or a weight is negative or not finite.</exception>
    public CausalLanguageModelMetrics Sum(IDataView data)
    {
        if (data is not ScoringDataView { Ranks: { Size: > 1 } ranks } scored)
            return Add(data).ToMetrics();
        MetricsAccumulator? own = null;
        ranks.RunTogether(() => own = Add(scored.OwnShare));
        return MetricsAccumulator.FromNumbers(ranks.SumNumbers(own!.ToNumbers())).ToMetrics();
    }

    private MetricsAccumulator Add(IDataView data)
    {
        var lossSumColumn = InputSchema.Find(data.Schema, nameof(data), "loss sum", LossSum, NumberDataViewType.Single);
        var tokenCountColumn = InputSchema.Find(data.Schema, nameof(data), "token count", TokenCount, NumberDataViewType.Int32);
        var byteCountColumn = InputSchema.Find(data.Schema, nameof(data), "byte count", ByteCount, NumberDataViewType.Int32);
        var correctCountColumn = InputSchema.Find(data.Schema, nameof(data), "correct count", CorrectCount, NumberDataViewType.Int32);
        DataViewSchema.Column[] weightColumns = Weight is null ? []
            : [InputSchema.Find(data.Schema, nameof(data), InputColumns.WeightRole, Weight, NumberDataViewType.Single)];
        using var cursor = data.GetRowCursor([lossSumColumn, tokenCountColumn, byteCountColumn, correctCountColumn, .. weightColumns]);
        var lossSum = cursor.GetGetter<float>(lossSumColumn);
        var tokenCount = cursor.GetGetter<int>(tokenCountColumn);
        var byteCount = cursor.GetGetter<int>(byteCountColumn);
        var correctCount = cursor.GetGetter<int>(correctCountColumn);
        var weight = Weight is null ? null : cursor.GetGetter<float>(weightColumns[0]);
        var sums = new MetricsAccumulator();
        while (cursor.MoveNext())
        {
            var score = new RowScore(Value(lossSum), Value(tokenCount), Value(byteCount), Value(correctCount));
            sums.Add(score, weight is null ? 1 : ExampleWeight.Check(Value(weight), Weight!, cursor.Position));
        }
        return sums;
    }

    private static T Value<T>(ValueGetter<T> getter)
        where T : struct
    {
        T value = default;
        getter(ref value);
        return value;
    }
}
