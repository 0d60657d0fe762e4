using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>What a norm does to each vector x: (x - mean) / sqrt(mean((x - mean)^2) + epsilon) times a factor, plus a bias. C width.</summary>
/// <param name="Weight">[C], the factors.</param>
/// <param name="Bias">[C]; null for none.</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="Centers">Whether the mean is subtracted; else it is 0 in both places.</param>
/// <param name="AddsOne">Whether the factor is 1 + weight. Default false.</param>
internal sealed record NormRule(Tensor Weight, Tensor? Bias, double Epsilon, bool Centers, bool AddsOne = false)
{
    /// <summary>Computes the norm by <see cref="WideNorm"/>; null where that cannot.</summary>
    /// <param name="input">[P,C].</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    public Tensor? TryApply(Tensor input, Tape tape)
    {
        if (!WideNorm.Suits(input, this))
            return null;
        Tensor output = tape.AllocateTemporary(input, input.shape[0], input.shape[1]);
        WideNorm.Apply(output, input, this);
        return output;
    }

    /// <summary>Computes the norm by <see cref="WideNorm"/> so that its backward pass can follow; null where that cannot.</summary>
    /// <param name="input">[P,C]; its memory stays as it is until then.</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it, and knows the sums to which the parameters' gradients are added.</param>
    public LayerPass? TryRun(Tensor input, Tape tape) => TryApply(input, tape) is { } output ? new LayerPass(output, gradient => GoBack(gradient, input, tape)) : null;

    private Tensor GoBack(Tensor gradient, Tensor input, Tape tape)
    {
        bool isTrained = tape.GradientOf(Weight) is not null || tape.GradientOf(Bias) is not null;
        long parts = WideNorm.CountSums(input);
        Tensor? sums = isTrained ? tape.AllocateTemporary(input, 2 * parts, input.shape[1]) : null;
        WideNorm.Backward(gradient, input, this, sums);
        if (sums is not null)
        {
            tape.AddSum(Weight, sums.narrow(0, 0, parts));
            tape.AddSum(Bias, sums.narrow(0, parts, parts));
        }
        return gradient;
    }
}

/// <summary>
/// Layer norm and root mean square norm of float32 on the CPU, 16 numbers at a time, written to memory that is there, like <see cref="WideActivation"/>. The backward pass needs the input alone. P positions, C width.
/// </summary>
internal static unsafe class WideNorm
{
    // Numbers of a vector, and rows whose gradients of factors are added before those of others: in an order that no number of threads changes.
    private const int Lanes = 16, Rows = 32;

    /// <summary>Whether it can be computed here.</summary>
    /// <param name="input">[P,C].</param>
    /// <param name="rule">The norm.</param>
    public static bool Suits(Tensor input, NormRule rule) => MatrixView.Suits(input) && MatrixView.Suits(rule.Weight)
        && input.dim() == 2 && input.shape[1] % Lanes == 0 && input.is_contiguous() && input.numel() > 0;

    /// <summary>Computes the norm.</summary>
    /// <param name="output">[P,C], contiguous.</param>
    /// <param name="input">[P,C], contiguous.</param>
    /// <param name="rule">The norm.</param>
    public static void Apply(Tensor output, Tensor input, NormRule rule)
    {
        Operands all = new(input, rule);
        MatrixView to = MatrixView.Of(output);
        RowParts.ForEach(input.shape[0], input.shape[1], Rows, (_, first, rows) =>
        {
            for (int row = first; row < first + rows; row++)
                ApplyRow(all, all.Row(row), (float*)to.At(row, 0).Address);
        });
        GC.KeepAlive((output, input, rule));
    }

    /// <summary>Computes the gradient of the input, in the place of that of the output, and those of the parameters.</summary>
    /// <param name="gradient">Of the output, [P,C], contiguous.</param>
    /// <param name="input">[P,C], contiguous.</param>
    /// <param name="rule">The norm.</param>
    /// <param name="sums">Receives the gradients of factors and bias by some rows each, [2 S,C], where S is what <see cref="CountSums"/> says: first those of all factors; null where they are not needed.</param>
    public static void Backward(Tensor gradient, Tensor input, NormRule rule, Tensor? sums)
    {
        Operands all = new(input, rule);
        MatrixView gradients = MatrixView.Of(gradient), partial = sums is null ? default : MatrixView.Of(sums);
        int parts = CountSums(input);
        RowParts.ForEach(input.shape[0], input.shape[1], Rows, (part, first, rows) =>
        {
            float* factor = null, bias = null;
            if (partial.Address != 0)
            {
                factor = (float*)partial.At(part, 0).Address;
                bias = (float*)partial.At(parts + part, 0).Address;
                new Span<float>(factor, all.Width).Clear();
                new Span<float>(bias, all.Width).Clear();
            }
            for (int row = first; row < first + rows; row++)
                BackwardRow(all, all.Row(row), (float*)gradients.At(row, 0).Address, factor, bias);
        });
        GC.KeepAlive((gradient, input, rule, sums));
    }

    /// <summary>S, how many parts of the rows have a sum of their own.</summary>
    /// <param name="input">[P,C].</param>
    public static int CountSums(Tensor input) => RowParts.Count(input.shape[0], Rows);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyRow(Operands all, float* x, float* y)
    {
        (float mean, float scale) = Measure(all, x);
        Vector512<float> center = Vector512.Create(mean), factor = Vector512.Create(scale), one = Vector512.Create(all.Added);
        for (int c = 0; c < all.Width; c += Lanes)
        {
            Vector512<float> normalized = (Vector512.Load(x + c) - center) * factor, weight = Vector512.Load(all.Weight + c) + one;
            (all.Bias is null ? normalized * weight : Vector512.FusedMultiplyAdd(normalized, weight, Vector512.Load(all.Bias + c))).Store(y + c);
        }
    }

    // dx = scale (g w - mean(g w) - n mean(g w n)) for the gradient g of the output, the factors w and the normalized vector n; without the first mean where nothing is subtracted.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow(Operands all, float* x, float* g, float* factorSum, float* biasSum)
    {
        (float mean, float scale) = Measure(all, x);
        Vector512<float> center = Vector512.Create(mean), factor = Vector512.Create(scale), one = Vector512.Create(all.Added), first = default, second = default;
        for (int c = 0; c < all.Width; c += Lanes)
        {
            Vector512<float> normalized = (Vector512.Load(x + c) - center) * factor, gradient = Vector512.Load(g + c);
            if (factorSum is not null)
            {
                Vector512.FusedMultiplyAdd(gradient, normalized, Vector512.Load(factorSum + c)).Store(factorSum + c);
                (gradient + Vector512.Load(biasSum + c)).Store(biasSum + c);
            }
            gradient *= Vector512.Load(all.Weight + c) + one;
            first += gradient;
            second = Vector512.FusedMultiplyAdd(gradient, normalized, second);
        }
        Vector512<float> average = Vector512.Create(all.Centers ? Vector512.Sum(first) / all.Width : 0), along = Vector512.Create(Vector512.Sum(second) / all.Width);
        for (int c = 0; c < all.Width; c += Lanes)
        {
            Vector512<float> normalized = (Vector512.Load(x + c) - center) * factor, gradient = Vector512.Load(g + c) * (Vector512.Load(all.Weight + c) + one) - average;
            (factor * (gradient - normalized * along)).Store(g + c);
        }
    }

    // The mean of a vector, and what normalizes it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Mean, float Scale) Measure(Operands all, float* x)
    {
        float mean = 0;
        Vector512<float> sum = default;
        if (all.Centers)
        {
            for (int c = 0; c < all.Width; c += Lanes)
                sum += Vector512.Load(x + c);
            mean = Vector512.Sum(sum) / all.Width;
            sum = default;
        }
        Vector512<float> center = Vector512.Create(mean);
        for (int c = 0; c < all.Width; c += Lanes)
        {
            Vector512<float> difference = Vector512.Load(x + c) - center;
            sum = Vector512.FusedMultiplyAdd(difference, difference, sum);
        }
        return (mean, (float)(1 / Math.Sqrt(Vector512.Sum(sum) / all.Width + all.Epsilon)));
    }

    private readonly struct Operands(Tensor input, NormRule rule)
    {
        private readonly MatrixView _input = MatrixView.Of(input);

        public int Width { get; } = (int)input.shape[1];

        public bool Centers { get; } = rule.Centers;

        public float Added { get; } = rule.AddsOne ? 1 : 0;

        public double Epsilon { get; } = rule.Epsilon;

        public float* Weight { get; } = AddressOf(rule.Weight);

        public float* Bias { get; } = rule.Bias is null ? null : AddressOf(rule.Bias);

        public float* Row(int row) => (float*)_input.At(row, 0).Address;

        private static float* AddressOf(Tensor vector)
        {
            using Tensor row = vector.detach().unsqueeze(0);
            return (float*)MatrixView.Of(row).Address;
        }
    }
}
