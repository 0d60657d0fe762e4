namespace MLNetExtension.Evaluation;

/// <summary>Adds up the scores of rows. Only sums are kept, and the one division is in <see cref="CausalLanguageModelMetrics"/>.</summary>
/// <remarks>The loss sum is compensated (A. Neumaier, 1974), so neither the number of rows nor their order costs digits.</remarks>
internal sealed class MetricsAccumulator
{
    private double _lossSum;
    private double _lostDigits; // what additions have rounded away so far
    private long _tokens;
    private long _bytes;
    private long _rows;

    /// <summary>Adds one row.</summary>
    public void Add(RowScore row)
    {
        AddLoss(row.LossSum);
        _tokens += row.TokenCount;
        _bytes += row.ByteCount;
        _rows++;
    }

    /// <summary>The metrics of all rows so far.</summary>
    /// <exception cref="InvalidOperationException">There is no row, or no row has a target token: a mean over nothing has no value.</exception>
    public CausalLanguageModelMetrics ToMetrics()
    {
        if (_tokens > 0)
            return new CausalLanguageModelMetrics(_lossSum + _lostDigits, _tokens, _bytes, _rows);

        throw new InvalidOperationException(_rows == 0
            ? "There are no rows to evaluate."
            : $"There is nothing to evaluate: none of the {_rows} rows has a target token.");
    }

    private void AddLoss(double loss)
    {
        double sum = _lossSum + loss;
        if (double.IsFinite(sum))
            _lostDigits += Math.Abs(_lossSum) >= Math.Abs(loss) ? _lossSum - sum + loss : loss - sum + _lossSum;

        _lossSum = sum;
    }
}
