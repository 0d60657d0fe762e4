namespace MLNetExtension.Evaluation;

/// <summary>The scores of one row: sums, so that rows can be added.</summary>
/// <param name="LossSum">The sum of the negative log-likelihoods of the row's target tokens, in nats.</param>
/// <param name="TokenCount">The number of target tokens.</param>
/// <param name="ByteCount">The number of UTF-8 bytes that the target tokens spell.</param>
/// <param name="CorrectCount">The number of target tokens to which the model gives the highest probability of all tokens.</param>
internal readonly record struct RowScore(double LossSum, int TokenCount, int ByteCount, int CorrectCount = 0);
