namespace MLNetExtension.Evaluation;

/// <summary>Adds up the scores of rows. Only sums are kept, and the one division is in <see cref="CausalLanguageModelMetrics"/>.</summary>
/// <remarks>The loss sum is compensated (A. Neumaier, 1974), so neither the number of rows nor their order costs digits.</remarks>
internal sealed class MetricsAccumulator
{
    private double _lossSum;
    private double _lostDigits; // what additions have rounded away so far
    private double _tokenWeight;
    private double _byteWeight;
    private double _correct;
    private long _tokens;
    private long _bytes;
    private long _rows;
    private long _rowsWithTargets;

    /// <summary>Adds one row.</summary>
    /// <param name="row">Its scores.</param>
    /// <param name="weight">What they are multiplied by; finite, at least 0. A row of weight 0 counts as a row and as nothing else.</param>
    public void Add(RowScore row, double weight = 1)
    {
        _rows++;
        if (row.TokenCount > 0)
            _rowsWithTargets++;
        if (weight != 0)    // 0 times an infinite loss would be not a number
            AddPart(row, weight);
    }

    /// <summary>Adds a part of a row, which counts as a row when its rest is added.</summary>
    /// <param name="row">The part's scores.</param>
    /// <param name="weight">What they are multiplied by; finite, above 0.</param>
    public void AddPart(RowScore row, double weight = 1)
    {
        AddLoss(weight * row.LossSum);
        _tokenWeight += weight * row.TokenCount;
        _byteWeight += weight * row.ByteCount;
        _correct += weight * row.CorrectCount;
        _tokens += row.TokenCount;
        _bytes += row.ByteCount;
    }

    /// <summary>The sums of all rows so far.</summary>
    public MetricsSums Sums => new(_lossSum + _lostDigits, _tokenWeight, _byteWeight, _correct, _tokens, _bytes, _rows);

    /// <summary>Makes the sums of rows that others have added up.</summary>
    /// <param name="numbers">What <see cref="ToNumbers"/> gives, of one or added up over several.</param>
    public static MetricsAccumulator FromNumbers(double[] numbers) => new()
    {
        _lossSum = numbers[0],
        _tokenWeight = numbers[1],
        _byteWeight = numbers[2],
        _correct = numbers[3],
        _tokens = (long)numbers[4],
        _bytes = (long)numbers[5],
        _rows = (long)numbers[6],
        _rowsWithTargets = (long)numbers[7],
    };

    /// <summary>The sums as numbers that can be added to those of other rows. Counts are exact up to 2^53.</summary>
    public double[] ToNumbers() => [_lossSum + _lostDigits, _tokenWeight, _byteWeight, _correct, _tokens, _bytes, _rows, _rowsWithTargets];

    /// <summary>The metrics of all rows so far.</summary>
    /// <exception cref="InvalidOperationException">There is no row, or no row has a target token and a weight: a mean over nothing has no value.</exception>
    public CausalLanguageModelMetrics ToMetrics()
    {
        if (_tokens > 0)
            return new CausalLanguageModelMetrics(Sums);

        throw new InvalidOperationException(_rows == 0 ? "There are no rows to evaluate."
            : _rowsWithTargets == 0 ? $"There is nothing to evaluate: none of the {_rows} rows has a target token."
            : $"There is nothing to evaluate: each of the {_rows} rows has no target token or a weight of 0.");
    }

    private void AddLoss(double loss)
    {
        double sum = _lossSum + loss;
        if (double.IsFinite(sum))
            _lostDigits += Math.Abs(_lossSum) >= Math.Abs(loss) ? _lossSum - sum + loss : loss - sum + _lossSum;

        _lossSum = sum;
    }
}
