using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Evaluation;

namespace MLNetExtension.Estimators;

/// <summary>Reads the columns that a trained model adds, back from any data that has them.</summary>
internal static class ScoredColumns
{
    public static CausalLanguageModelMetrics Sum(IDataView data, string lossSumColumnName, string tokenCountColumnName, string byteCountColumnName)
    {
        var lossSumColumn = InputSchema.Find(data.Schema, nameof(data), "loss sum", lossSumColumnName, NumberDataViewType.Single);
        var tokenCountColumn = InputSchema.Find(data.Schema, nameof(data), "token count", tokenCountColumnName, NumberDataViewType.Int32);
        var byteCountColumn = InputSchema.Find(data.Schema, nameof(data), "byte count", byteCountColumnName, NumberDataViewType.Int32);
        using var cursor = data.GetRowCursor([lossSumColumn, tokenCountColumn, byteCountColumn]);
        var lossSum = cursor.GetGetter<float>(lossSumColumn);
        var tokenCount = cursor.GetGetter<int>(tokenCountColumn);
        var byteCount = cursor.GetGetter<int>(byteCountColumn);
        var sums = new MetricsAccumulator();
        while (cursor.MoveNext())
        {
            float loss = 0;
            int tokens = 0, bytes = 0;
            lossSum(ref loss);
            tokenCount(ref tokens);
            byteCount(ref bytes);
            sums.Add(new RowScore(loss, tokens, bytes));
        }
        return sums.ToMetrics();
    }
}
