using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests;

/// <summary>Small models and rows of unequal length, the ground that tests of the law stand on.</summary>
internal static class Ragged
{
    public const int Vocabulary = 23;

    public static Gpt2Model Model(ScalarType dtype = ScalarType.Float64, int seed = 1, double dropout = 0, int experts = 0, int expertsPerToken = 1, int layers = 2)
    {
        Gpt2Model model = new(new Gpt2Configuration(Vocabulary, ContextLength: 24, layers, Heads: 2, Width: 12, dropout, experts, expertsPerToken), seed);
        model.to(dtype);
        // The untrained head is so close to uniform that gradients say little: spread the weights.
        using (no_grad())
        {
            foreach (Parameter parameter in model.parameters())
                parameter.mul_(parameter.dim() >= 2 ? 8 : 1);
        }
        return model;
    }

    /// <summary>Rows with a masked prompt each, lengths spread widely, some targets masked at random.</summary>
    public static TokenExample[] Examples(int rows = 8, int seed = 7, int shortest = 1, int longest = 24)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, rows).Select(row => Example(random, random.Next(shortest, longest + 1), row))];
    }

    public static TokenExample Example(Random random, int length, long position, double masked = 0.2, double weight = 1)
    {
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(Vocabulary))];
        int[] targets = [.. Enumerable.Range(0, length).Select(t => t > 0 && random.NextDouble() < masked ? TokenExample.IgnoredTarget : random.Next(Vocabulary))];
        return new TokenExample(ids, targets, length, position, weight: weight);
    }

    /// <summary>A row whose every target is masked.</summary>
    public static TokenExample WithoutTargets(int length) =>
        new(new int[length], [.. Enumerable.Repeat(TokenExample.IgnoredTarget, length)], 0, 0);

    /// <summary>The batch in micro-batches of equally many rows, in the order given.</summary>
    public static IReadOnlyList<IReadOnlyList<TokenExample>> Split(IEnumerable<TokenExample> batch, int rows) => [.. batch.Chunk(rows)];

    /// <summary>Loss and gradient of a batch through <see cref="BatchGradient"/>, on a new model.</summary>
    public static (BatchLoss Loss, Tensor Gradient) Accumulate(
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches,
        LossNormalization normalization = LossNormalization.Token,
        ScalarType dtype = ScalarType.Float64,
        ITokenLoss? loss = null,
        bool recompute = false,
        bool pack = false,
        double dropout = 0)
    {
        using Gpt2Model model = Model(dtype, dropout: dropout);
        using BatchGradient gradient = new(model, new GradientSettings { Normalization = normalization, Loss = loss ?? new LinearCrossEntropy(), Recompute = recompute, Pack = pack });
        return (gradient.Accumulate(microBatches), gradient.Parameters.Gradients.clone().to(float64));
    }

    /// <summary>
    /// The same, written out by other means: whole logits, torch's own cross entropy and autograd, one padded batch, one division.
    /// </summary>
    public static (double Loss, Tensor Gradient) FullBatch(
        IReadOnlyList<TokenExample> batch, bool divide = true, ScalarType dtype = ScalarType.Float64, double labelSmoothing = 0, double zLoss = 0)
    {
        using Gpt2Model model = Model(dtype);
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Pad(batch);
        Tensor logits = model.call(ids);                                                                       // [B,T,V]
        Tensor counted = targets.ne(TokenExample.IgnoredTarget).to(dtype);                                      // [B,T]
        Tensor weights = counted * tensor([.. batch.Select(e => e.Weight)], dtype: dtype).unsqueeze(1);         // [B,T]
        Tensor losses = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget, reduction: nn.Reduction.None, label_smoothing: labelSmoothing).view(targets.shape);
        Tensor sum = ((losses + logits.logsumexp(-1).square() * zLoss) * weights).sum();
        Tensor loss = divide ? sum / weights.sum() : sum;
        loss.backward();
        return (loss.ToDouble(), parameters.Gradients.clone().to(float64));
    }

    /// <summary>Ids and targets, each [B,T] int64, padded with 0 and -100.</summary>
    public static (Tensor Ids, Tensor Targets) Pad(IReadOnlyList<TokenExample> batch)
    {
        int length = batch.Max(e => e.Length);
        long[] ids = [.. batch.SelectMany(e => Enumerable.Range(0, length).Select(t => t < e.Length ? (long)e.Ids[t] : 0))];
        long[] targets = [.. batch.SelectMany(e => Enumerable.Range(0, length).Select(t => t < e.Length ? e.Targets[t] : (long)TokenExample.IgnoredTarget))];
        return (tensor(ids, [batch.Count, length]), tensor(targets, [batch.Count, length]));
    }

    /// <summary>Relative L2 distance of a vector from a reference.</summary>
    public static double RelativeError(Tensor actual, Tensor expected) => ((actual - expected).norm() / expected.norm()).ToDouble();
}
