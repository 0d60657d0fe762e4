using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Evaluation;

/// <summary>Computes the loss of a model on each of some rows. T positions, N targets, C width, V vocabulary.</summary>
/// <remarks>
/// <para>How many rows go through the model together, packed or padded, and by how many threads, is a matter of memory and speed: losses are summed per row in float64, and a row's score
/// does not depend on the rows beside it, but for the rounding of the model's own arithmetic. Rows are grouped as in training; threads share the model, since nothing is drawn or kept.</para>
/// <para>Any number of threads may score with one model at the same time, each with its own scorer or all with one. For this the scorer changes nothing: the model's owner
/// puts it into evaluation mode, once, and the scorer refuses a model that is not, since there dropout would make losses random. No random numbers are drawn.</para>
/// </remarks>
internal sealed class RowScorer
{
    // On the CPU what a block makes of so many stays in the caches, and products are no slower; nothing is kept for a backward pass, so there is no memory to fill.
    private const int TokensOnCpu = 512, TokensOnGpu = 2048;

    // Fewer are not worth another thread.
    private const int LeastTokens = 128;

    private readonly CausalLanguageModel _model;
    private readonly int _maximumTokens;
    private readonly bool _pack;
    private readonly int? _threads;
    private readonly LinearCrossEntropy _loss = new();

    /// <summary>Creates a scorer for a model, which it does not own.</summary>
    /// <param name="model">The model, in evaluation mode whenever rows are scored.</param>
    /// <param name="maximumTokensPerMicroBatch">Most positions that pass through the model together, padding included; a longer row stands alone. Default null: 512 on the CPU, 2048 on a GPU; 1 or more.</param>
    /// <param name="packRows">Whether rows lie one after another, without padding, where the model has separate parts. Default null: on the CPU.</param>
    /// <param name="threads">How many threads of the CPU compute, each a micro-batch of its own where there are enough. Default null: as many as training uses.</param>
    /// <exception cref="ArgumentNullException"><paramref name="model"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximumTokensPerMicroBatch"/> is less than 1.</exception>
    public RowScorer(CausalLanguageModel model, int? maximumTokensPerMicroBatch = null, bool? packRows = null, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumTokensPerMicroBatch ?? 1, 1, nameof(maximumTokensPerMicroBatch));
        bool onCpu = model.Device.type == DeviceType.CPU;
        (_model, _maximumTokens, _pack) = (model, maximumTokensPerMicroBatch ?? (onCpu ? TokensOnCpu : TokensOnGpu), model.HeadWeight is not null && (packRows ?? onCpu));
        _threads = onCpu ? Math.Clamp(threads ?? KernelThreads.Available, 1, Environment.ProcessorCount) : null;
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
        int workers = CountWorkers(examples);
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = _pack ? MicroBatchPlanner.SplitPacked(examples, _maximumTokens, workers) : MicroBatchPlanner.Split(examples, _maximumTokens);
        var scores = new Dictionary<TokenExample, TokenScores>(ReferenceEqualityComparer.Instance);
        foreach ((IReadOnlyList<TokenExample> rows, double[] losses) in microBatches.Zip(ScoreSideBySide(microBatches, workers, cancellationToken)))
            AddScores(rows, losses, scores);
        return [.. examples.Select(row => scores.GetValueOrDefault(row, TokenScores.None))];
    }

    // One thread a micro-batch, as long as there is enough to do: the kernels of small models are too short to be shared. A network of a user's own may keep something while it computes, so it has one worker.
    private int CountWorkers(IReadOnlyList<TokenExample> rows) =>
        _model.Custom is not null ? 1 : (int)Math.Clamp(rows.Sum(row => (long)row.Length) / LeastTokens, 1, _threads ?? 1);

    // A worker's micro-batches are every so many of them, so that each has nearly as many tokens. Where there is only one, it is computed with the caller's own number of threads.
    private double[][] ScoreSideBySide(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int mostWorkers, CancellationToken cancellationToken)
    {
        int workers = Math.Clamp(microBatches.Count, 1, mostWorkers);
        var losses = new double[microBatches.Count][];
        bool hasFailed = false;
        Task[] others = [.. Enumerable.Range(1, workers - 1).Select(worker =>
            Task.Factory.StartNew(() => Work(worker), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        try
        {
            Work(0);
        }
        finally
        {
            Task.WhenAll(others).ContinueWith(_ => { }, TaskScheduler.Default).Wait();    // none may use the model when this call has ended
        }
        Task.WhenAll(others).GetAwaiter().GetResult();
        return losses;

        void Work(int worker)
        {
            using KernelThreads? kernels = losses.Length > 1 ? KernelThreads.Limit(_threads, workers) : null;
            using ActivationMemory memory = new();
            try
            {
                for (int i = worker; i < losses.Length && !Volatile.Read(ref hasFailed); i += workers)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    losses[i] = Score(microBatches[i], memory);
                }
            }
            catch
            {
                Volatile.Write(ref hasFailed, true);    // the others need not go on
                throw;
            }
        }
    }

    // The targets of a micro-batch lie row by row: first the losses of all, then 1 for each that is the likeliest token.
    private static void AddScores(IReadOnlyList<TokenExample> rows, double[] losses, Dictionary<TokenExample, TokenScores> scores)
    {
        int start = 0, all = losses.Length / 2;
        foreach (TokenExample row in rows)
        {
            int correct = losses.AsSpan(all + start, row.TargetCount).Count(1.0);
            scores[row] = new TokenScores(losses[start..(start + row.TargetCount)], correct);
            start += row.TargetCount;
        }
    }

    private double[] Score(IReadOnlyList<TokenExample> rows, ActivationMemory memory)
    {
        // no_grad, not inference_mode: a model may keep tensors that it makes on the way (masks, positions), and those of inference mode could not be trained with.
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        memory.Reset();
        using MicroBatch microBatch = _pack ? MicroBatch.Pack(rows, _model.Device) : MicroBatch.Collate(rows, _model.Device);
        Tensor hidden = ComputeTargetStates(microBatch, memory);                                                     // [N,C]
        Tensor correct = empty(microBatch.TargetCount, dtype: float64, device: hidden.device);                      // [N]
        TokenTargets targets = new(hidden, _model.HeadWeight, microBatch.Targets, Weights: null, microBatch.TargetCount)
        {
            LogitCap = _model.LogitCap,
            Memory = memory.Temporaries,
        };
        Tensor losses = _loss.PerToken(targets, correct);                                                           // [N]
        return cat([losses.to(float64), correct], 0).cpu().data<double>().ToArray();                                 // [2N]
    }

    // Of all positions, only those of the targets are normalized.
    private Tensor ComputeTargetStates(MicroBatch microBatch, ActivationMemory memory) => _model.HeadWeight is null
        ? microBatch.SelectTargets(_model.ComputeHidden(microBatch.Ids))
        : _model.ComputeTargetStates(microBatch, memory);
}
