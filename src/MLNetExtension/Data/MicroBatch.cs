using static TorchSharp.torch;

namespace MLNetExtension.Data;

/// <summary>
/// Rows that pass through the model together. B rows, T positions, N targets in all. Padded rows lie side by side, [B,T], filled up at their right
/// end; packed rows lie one after another in a single sequence, [1,T]. Targets are named by their positions, so prompts and padding never reach the head.
/// </summary>
internal sealed class MicroBatch : IDisposable
{
    private readonly long[] _tokens;    // [N], what TargetTokens holds
    private Tensor? _targetTokens;

    private MicroBatch(Layout layout, IReadOnlyList<TokenExample> examples, Device device, double promptWeight)
    {
        long count = examples.Sum(e => e.TargetCount + CountPrompt(e, promptWeight));
        long[] ids = new long[layout.Rows * layout.Length];
        long[] positions = new long[count], tokens = new long[count], targets = new long[count];
        double[] weights = new double[count];
        long n = 0, start = 0, before = 0;
        foreach (TokenExample example in examples)
        {
            for (int t = 0; t < example.Length; t++)
            {
                ids[start + t] = example.Ids[t];
                if (example.Targets[t] != TokenExample.IgnoredTarget)
                    (positions[n], tokens[n], targets[n], weights[n++]) = (start + t, before + t, example.Targets[t], example.LossWeight);
                else if (promptWeight > 0 && example.TargetCount > 0 && t + 1 < example.Length)
                    (positions[n], tokens[n], targets[n], weights[n++]) = (start + t, before + t, example.Ids[t + 1], example.LossWeight * promptWeight);
            }
            start += layout.Packed ? example.Length : layout.Length;
            before += example.Length;
        }

        Ids = device.Upload(ids).view(layout.Rows, layout.Length);
        TargetPositions = device.Upload(positions);
        Targets = device.Upload(targets);
        TargetWeights = examples.All(e => e.LossWeight == 1) && promptWeight is 0 or 1 ? null : device.Upload(weights);
        (TargetCount, _tokens) = (count, tokens);
        TargetWeight = examples.Sum(e => e.Count + e.LossWeight * promptWeight * CountPrompt(e, promptWeight));
        (Examples, RowLengths, IsPacked) = (examples, [.. examples.Select(e => e.Length)], layout.Packed);
    }

    /// <summary>Token ids, [B,T] int64, 0 where padded; or packed, [1,T].</summary>
    public Tensor Ids { get; }

    /// <summary>Where the targets are in the flattened ids, [N] int64. Row by row, in order.</summary>
    public Tensor TargetPositions { get; }

    /// <summary>Where the targets are among the real tokens, padding left out, [N] int64. Created when first asked for, since only routers ask.</summary>
    public Tensor TargetTokens => _targetTokens ??= Ids.device.Upload(_tokens).DetachFromDisposeScope();

    /// <summary>The target ids, [N] int64.</summary>
    public Tensor Targets { get; }

    /// <summary>What the loss of each target is multiplied by, [N] float64; null where all are 1.</summary>
    public Tensor? TargetWeights { get; }

    /// <summary>N, known on the host.</summary>
    public long TargetCount { get; }

    /// <summary>What the rows add to the number by which the batch's gradient is divided: the summed weights of the targets, N where all are 1.</summary>
    public double TargetWeight { get; }

    /// <summary>The rows.</summary>
    public IReadOnlyList<TokenExample> Examples { get; }

    /// <summary>Lengths of the rows, in their order.</summary>
    public IReadOnlyList<int> RowLengths { get; }

    /// <summary>Whether the rows lie one after another, not side by side.</summary>
    public bool IsPacked { get; }

    /// <summary>Selects what a model gives at the targets, [B,T,C] to [N,C].</summary>
    /// <param name="states">What it gives at all positions, [B,T,C].</param>
    public Tensor SelectTargets(Tensor states)
    {
        Tensor positions = states.flatten(0, 1);                                           // [B*T,C]
        return TargetCount == positions.shape[0] ? positions : positions.index_select(0, TargetPositions);
    }

    /// <summary>Lays rows side by side, padded to the longest of them, and copies them to the device.</summary>
    /// <param name="examples">At least one example.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="promptWeight">Weight of prompt tokens: where a row with a target has a position without one, the row's next token is a target of this weight, 0 to 1. Default 0: it is none.</param>
    public static MicroBatch Collate(IReadOnlyList<TokenExample> examples, Device device, double promptWeight = 0) =>
        new(new Layout(examples.Count, examples.Max(e => e.Length), Packed: false), examples, device, promptWeight);

    /// <summary>Lays rows one after another into a single sequence, without padding, and copies them to the device.</summary>
    /// <param name="examples">At least one example.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="promptWeight">As for <see cref="Collate"/>.</param>
    public static MicroBatch Pack(IReadOnlyList<TokenExample> examples, Device device, double promptWeight = 0) =>
        new(new Layout(1, examples.Sum(e => (long)e.Length), Packed: true), examples, device, promptWeight);

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Ids.Dispose();
        TargetPositions.Dispose();
        _targetTokens?.Dispose();
        Targets.Dispose();
        TargetWeights?.Dispose();
    }

    // Every position of a row but the last has the next token; the last has one only where that is a target of its own.
    private static long CountPrompt(TokenExample example, double promptWeight) => promptWeight == 0 || example.TargetCount == 0 ? 0
        : example.Length - example.TargetCount - (example.Targets[^1] == TokenExample.IgnoredTarget ? 1 : 0);

    private readonly record struct Layout(int Rows, long Length, bool Packed);
}
