using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>The head in chunks of targets, so that the [N,V] logits are never whole: what losses of logits share. N targets, n of them in a chunk, C width, V vocabulary.</summary>
internal static class LogitChunks
{
    private const long TokensOnCpu = 256, LogitsOnGpu = 1 << 26;

    // Scoring has no other large tensor than a chunk's logits, which it reads several times: fewer stay in the caches, more make products faster.
    private const long LeastScored = 128, LogitsScored = 1 << 20;

    // A GPU's matrix units read rows that begin at multiples of 16 bytes; V is 50,257 for GPT-2.
    private const long Alignment = 8;

    /// <summary>Computes the logits of one chunk after another, each in a scope of its own, so that the next reuses its memory.</summary>
    /// <param name="targets">All targets.</param>
    /// <param name="chunkTokens">How many are visited at a time; null for as many as suit the device.</param>
    /// <param name="visit">Receives the number of the chunk's first target, its hidden states [n,C], targets [n,1] and logits [n,V], which are those hidden states themselves where there is no head.</param>
    public static void ForEach(TokenTargets targets, int? chunkTokens, Action<long, Tensor, Tensor, Tensor> visit)
    {
        Tensor column = targets.Targets.unsqueeze(1);                                                // [N,1]
        long size = chunkTokens ?? TokensOf(targets);
        for (long start = 0, all = targets.Targets.shape[0]; start < all; start += size)
        {
            using var chunk = NewDisposeScope();
            long count = Math.Min(size, all - start);
            Tensor h = targets.Hidden.narrow(0, start, count);                                       // [n,C]
            ActivationMemory.Mark mark = targets.Memory?.Position ?? default;
            visit(start, h, column.narrow(0, start, count), ComputeLogits(h, targets.HeadWeight, targets.LogitCap, targets.Memory));
            targets.Memory?.Release(mark);
        }
    }

    /// <summary>How many targets are scored at a time, where no gradient is computed; null for as many as suit the device.</summary>
    /// <param name="targets">All targets.</param>
    public static int? ScoredTokens(TokenTargets targets) =>
        targets.Hidden.device_type == DeviceType.CPU ? (int)Math.Clamp(LogitsScored / VocabularyOf(targets), LeastScored, TokensOnCpu) : null;

    /// <summary>Computes logits, [n,V], in float32 where the states are in half precision.</summary>
    /// <param name="hidden">Hidden states, [n,C]; logits, [n,V], where there is no head.</param>
    /// <param name="head">The head's weight, [V,C]; null for none.</param>
    /// <param name="cap">See <see cref="TokenTargets.LogitCap"/>.</param>
    /// <param name="memory">Where they are put; null for a tensor of their own.</param>
    public static Tensor ComputeLogits(Tensor hidden, Tensor? head, double? cap, ActivationMemory? memory = null)
    {
        Tensor logits = (head is null ? hidden : Multiply(hidden, head, memory)).Widen();
        return cap is { } most ? logits.div(Scalars.Of(most)).tanh_().mul_(Scalars.Of(most)) : logits;
    }

    /// <summary>Computes the derivative of capped logits by what was capped, [n,V]; null where nothing is.</summary>
    /// <param name="logits">The capped logits, [n,V].</param>
    /// <param name="cap">See <see cref="TokenTargets.LogitCap"/>.</param>
    public static Tensor? CapSlope(Tensor logits, double? cap) => cap is { } most ? (logits / Scalars.Of(most)).pow(Scalars.Two).neg_().add_(Scalars.One, Scalars.One) : null;

    /// <summary>Finds the targets that are the first of the largest logits, [n,1]: of equal ones, the model would say the first.</summary>
    /// <param name="logits">[n,V].</param>
    /// <param name="y">Target ids, [n,1].</param>
    /// <param name="candidates">Which targets have the largest logit, [n,1]: on the CPU, where asking costs no synchronisation, others are not looked at.</param>
    public static Tensor Hits(Tensor logits, Tensor y, Tensor candidates)
    {
        if (logits.device_type != DeviceType.CPU)
            return logits.argmax(1, keepdim: true).eq(y);
        Tensor rows = candidates.flatten().nonzero().flatten();
        return rows.shape[0] == 0 ? candidates : candidates.index_copy_(0, rows, logits.index_select(0, rows).argmax(1, keepdim: true).eq(y.index_select(0, rows)));
    }

    /// <summary>Sums the values of a chunk's targets, a scalar.</summary>
    /// <param name="values">[n,1].</param>
    /// <param name="weights">[n,1] float64; null where all are 1.</param>
    public static Tensor Sum(Tensor values, Tensor? weights) => (weights is null ? values : values * weights).sum();

    /// <summary>Takes the gradient of a chunk's logits back through the head.</summary>
    /// <param name="logitGradient">[n,V], of the type of the hidden states or a wider one.</param>
    /// <param name="start">The number of the chunk's first target.</param>
    /// <param name="h">The chunk's hidden states, [n,C].</param>
    /// <param name="head">The head's weight, [V,C]; null for none.</param>
    /// <param name="gradients">What the gradients by hidden states and head are added to.</param>
    public static void AddGradients(Tensor logitGradient, long start, Tensor h, Tensor? head, TokenGradients gradients)
    {
        Tensor hiddenGradient = gradients.Hidden.narrow(0, start, h.shape[0]);
        if (head is null)
        {
            hiddenGradient.add_(logitGradient, Scalars.One);
            return;
        }
        logitGradient = Align(logitGradient, h.dtype);
        MatrixProduct.AddBack(hiddenGradient, logitGradient, head);                                  // [n,V] [V,C]
        if (gradients.HeadWeight is { } sum)
            MatrixProduct.AddOuter(sum, logitGradient, h);                                           // [V,n] [n,C]
    }

    // On the CPU fewer make matrix products slower, and more leave the caches; a GPU is faster the more it is given at once.
    private static long TokensOf(TokenTargets targets)
    {
        if (targets.Hidden.device_type == DeviceType.CPU)
            return TokensOnCpu;
        return Math.Max(TokensOnCpu, LogitsOnGpu / VocabularyOf(targets));
    }

    private static long VocabularyOf(TokenTargets targets) => targets.HeadWeight?.shape[0] ?? targets.Hidden.shape[1];

    private static Tensor Multiply(Tensor hidden, Tensor head, ActivationMemory? memory)
    {
        if (!IsAligned(hidden.device_type, head.shape[0]))
            return EmptyRows(hidden.shape[0], head.shape[0], hidden.dtype, hidden.device).addmm_(hidden, head.t(), beta: 0);
        if (memory is null)
            return MatrixProduct.Multiply(hidden, head);
        Tensor logits = memory.Allocate(hidden, hidden.shape[0], head.shape[0]);
        MatrixProduct.Write(logits, hidden, head, bias: null);
        return logits;
    }

    private static Tensor Align(Tensor gradient, ScalarType dtype) => IsAligned(gradient.device_type, gradient.dtype == dtype ? gradient.stride(0) : gradient.shape[1])
        ? gradient.to(dtype)
        : EmptyRows(gradient.shape[0], gradient.shape[1], dtype, gradient.device).copy_(gradient);

    // Whether all rows begin where the device can read them, if they are so long.
    private static bool IsAligned(DeviceType device, long length) => device == DeviceType.CPU || length % Alignment == 0;

    // With gaps that nobody reads, [n,V].
    private static Tensor EmptyRows(long count, long length, ScalarType dtype, Device device) =>
        empty(count, (length + Alignment - 1) / Alignment * Alignment, dtype: dtype, device: device).narrow(1, 0, length);
}
