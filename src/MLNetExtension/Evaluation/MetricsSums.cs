namespace MLNetExtension.Evaluation;

/// <summary>The sums from which metrics are computed. In a weighted sum each row is multiplied by its weight.</summary>
/// <param name="Loss">Weighted sum of losses, in nats.</param>
/// <param name="TokenWeight">Weighted number of target tokens.</param>
/// <param name="ByteWeight">Weighted number of bytes.</param>
/// <param name="Correct">Weighted number of target tokens to which the model gives the highest probability of all tokens.</param>
/// <param name="Tokens">Number of target tokens of rows with a weight above 0.</param>
/// <param name="Bytes">Number of bytes that these spell.</param>
/// <param name="Rows">Number of all rows.</param>
internal readonly record struct MetricsSums(double Loss, double TokenWeight, double ByteWeight, double Correct, long Tokens, long Bytes, long Rows);
