using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Evaluation;

/// <summary>Computes the loss of a model on each of some rows. T positions, N targets, C width.</summary>
/// <remarks>
/// <para>How many rows go through the model together is a matter of memory and speed: losses are summed per row in float64, and a row's score
/// does not depend on the rows beside it, but for the rounding of the model's own arithmetic.</para>
/// <para>Any number of threads may score with one model at the same time, each with its own scorer or all with one. For this the scorer changes nothing: the model's owner
/// puts it into evaluation mode, once, and the scorer refuses a model that is not, since there dropout would make losses random. No random numbers are drawn.</para>
/// </remarks>
internal sealed class RowScorer
{
    private readonly CausalLanguageModel _model;
    private readonly int _maximumTokens;
    private readonly LinearCrossEntropy _loss = new();

    /// <summary>Creates a scorer for a model, which it does not own.</summary>
    /// <param name="model">The model, in evaluation mode whenever rows are scored.</param>
    /// <param name="maximumTokensPerMicroBatch">Most positions that pass through the model together, padding included; a longer row stands alone. Default 4096; 1 or more.</param>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximumTokensPerMicroBatch"/> is less than 1.</exception>
    public RowScorer(CausalLanguageModel model, int maximumTokensPerMicroBatch = 4096)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumTokensPerMicroBatch, 1);
        _model = model;
        _maximumTokens = maximumTokensPerMicroBatch;
    }

    /// <summary>Scores rows.</summary>
    /// <param name="examples">The rows, none longer than the model's context.</param>
    /// <param name="cancellationToken">Ends the scoring before the next micro-batch.</param>
    /// <returns>A score for each row, in the order of the rows; of a row without a target all sums are 0.</returns>
    /// <exception cref="InvalidOperationException">The model is in training mode.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public IReadOnlyList<RowScore> Score(IReadOnlyList<TokenExample> examples, CancellationToken cancellationToken = default) =>
        [.. ScoreTokens(examples, cancellationToken).Zip(examples, (tokens, row) =>
            new RowScore(tokens.LossSum, row.TargetCount, row.TargetCount > 0 ? row.TargetBytes : 0, tokens.CorrectCount))];

    /// <summary>Scores rows token by token.</summary>
    /// <param name="examples">The rows, none longer than the model's context.</param>
    /// <param name="cancellationToken">Ends the scoring before the next micro-batch.</param>
    /// <returns>For each row, in the order of the rows, the scores of its target tokens.</returns>
    /// <exception cref="InvalidOperationException">The model is in training mode.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed before the call; one that is disposed meanwhile is scored to the end.</exception>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public IReadOnlyList<TokenScores> ScoreTokens(IReadOnlyList<TokenExample> examples, CancellationToken cancellationToken = default)
    {
        using var use = _model.Lifetime.Use();
        if (_model.training)
            throw new InvalidOperationException("The model is in training mode, where dropout would make losses random. Call eval() on it before scoring rows.");

        // The planner leaves rows without a target out and puts the others in an order of its own.
        var scores = new Dictionary<TokenExample, TokenScores>(ReferenceEqualityComparer.Instance);
        foreach (IReadOnlyList<TokenExample> rows in MicroBatchPlanner.Split(examples, _maximumTokens))
        {
            cancellationToken.ThrowIfCancellationRequested();
            AddScores(rows, scores);
        }

        return [.. examples.Select(row => scores.GetValueOrDefault(row, TokenScores.None))];
    }

    private void AddScores(IReadOnlyList<TokenExample> rows, Dictionary<TokenExample, TokenScores> scores)
    {
        // The targets of a micro-batch lie row by row: first the losses of all, then 1 for each that is the likeliest token.
        double[] losses = Scores(rows);
        int start = 0, all = losses.Length / 2;
        foreach (TokenExample row in rows)
        {
            var correct = losses.AsSpan(all + start, row.TargetCount).Count(1.0);
            scores[row] = new TokenScores(losses[start..(start + row.TargetCount)], correct);
            start += row.TargetCount;
        }
    }

    private double[] Scores(IReadOnlyList<TokenExample> rows)
    {
        // no_grad, not inference_mode: a model may keep tensors that it makes on the way (masks, positions), and those of inference mode could not be trained with.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        using var microBatch = MicroBatch.Collate(rows, _model.Device);
        Tensor hidden = _model.ComputeHidden(microBatch.Ids).flatten(0, 1).index_select(0, microBatch.TargetPositions);    // [N,C]
        Tensor correct = empty(microBatch.TargetCount, dtype: float64, device: hidden.device);                      // [N]
        Tensor losses = _loss.PerToken(hidden, _model.HeadWeight, microBatch.Targets, correct);                     // [N]
        return cat([losses.to(float64), correct], 0).cpu().data<double>().ToArray();                                 // [2N]
    }
}
