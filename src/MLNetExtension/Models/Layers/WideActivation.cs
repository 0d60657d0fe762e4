using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Activations of float32 on the CPU, 16 numbers at a time, written to memory that is there: libtorch's kernels return tensors of their own, of which the C library's allocator keeps holes. The way there leaves the slope behind, in the memory
/// of what was given. P positions, F inner width.
/// </summary>
internal static unsafe class WideActivation
{
    // Numbers of a vector, and rows of a part.
    private const int Lanes = 16, Rows = 16;

    /// <summary>Whether it can be computed here.</summary>
    /// <param name="values">[P,F].</param>
    public static bool Suits(Tensor values) => MatrixView.Suits(values) && values.dim() == 2 && values.is_contiguous() && values.numel() > 0;

    /// <summary>Computes a(x), or a(g) u.</summary>
    /// <param name="activation">a.</param>
    /// <param name="output">[P,F], contiguous.</param>
    /// <param name="input">x, [P,F]; or g and u beside one another, [P,2F]. Contiguous.</param>
    public static void Apply(Activation activation, Tensor output, Tensor input) => Run(activation, output, input, differentiates: false);

    /// <summary>Computes the same, and puts the slopes in the place of what they are by: a'(x); or a'(g) u and a(g).</summary>
    /// <inheritdoc cref="Apply" path="/param"/>
    public static void Differentiate(Activation activation, Tensor output, Tensor input) => Run(activation, output, input, differentiates: true);

    private static void Run(Activation activation, Tensor output, Tensor input, bool differentiates)
    {
        switch (activation)
        {
            case Activation.Gelu:
                Run<Gelu>(output, input, differentiates);
                break;
            case Activation.GeluTanh:
                Run<GeluTanh>(output, input, differentiates);
                break;
            case Activation.Silu:
                Run<Silu>(output, input, differentiates);
                break;
            case Activation.Relu:
                Run<Relu>(output, input, differentiates);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "This is not an activation.");
        }
    }

    private static void Run<TFunction>(Tensor output, Tensor input, bool differentiates)
        where TFunction : IFunction
    {
        int columns = (int)output.shape[1];
        bool isGated = input.shape[1] > columns;
        MatrixView to = MatrixView.Of(output), from = MatrixView.Of(input);
        RowParts.ForEach(output.shape[0], columns, Rows, (_, first, rows) =>
        {
            for (int row = first; row < first + rows; row++)
            {
                float* values = (float*)from.At(row, 0).Address;
                RunRow<TFunction>((float*)to.At(row, 0).Address, values, isGated ? values + columns : null, columns, differentiates);
            }
        });
        GC.KeepAlive((output, input));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunRow<TFunction>(float* output, float* values, float* factors, int columns, bool differentiates)
        where TFunction : IFunction
    {
        int column = 0;
        for (; column + Lanes <= columns; column += Lanes)
            RunLanes<TFunction>(output + column, values + column, factors is null ? null : factors + column, differentiates);
        if (column == columns)
            return;
        float* rest = stackalloc float[3 * Lanes];
        float* restOfFactors = factors is null ? null : rest + 2 * Lanes;
        int bytes = (columns - column) * sizeof(float);
        Buffer.MemoryCopy(values + column, rest, bytes, bytes);
        if (factors is not null)
            Buffer.MemoryCopy(factors + column, restOfFactors, bytes, bytes);
        RunLanes<TFunction>(rest + Lanes, rest, restOfFactors, differentiates);
        Buffer.MemoryCopy(rest + Lanes, output + column, bytes, bytes);
        if (!differentiates)
            return;
        Buffer.MemoryCopy(rest, values + column, bytes, bytes);
        if (factors is not null)
            Buffer.MemoryCopy(restOfFactors, factors + column, bytes, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RunLanes<TFunction>(float* output, float* values, float* factors, bool differentiates)
        where TFunction : IFunction
    {
        (Vector512<float> value, Vector512<float> slope) = TFunction.Compute(Vector512.Load(values));
        if (factors is not null)
        {
            Vector512<float> factor = Vector512.Load(factors);
            (value * factor).Store(output);
            if (differentiates)
            {
                (slope * factor).Store(values);
                value.Store(factors);
            }
            return;
        }
        value.Store(output);
        if (differentiates)
            slope.Store(values);
    }

    private interface IFunction
    {
        /// <summary>a(x) and a'(x).</summary>
        static abstract (Vector512<float> Value, Vector512<float> Slope) Compute(Vector512<float> x);
    }

    // x P(x), with the slope P(x) + x p(x), for the normal distribution function P and its density p.
    private readonly struct Gelu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector512<float> Value, Vector512<float> Slope) Compute(Vector512<float> x)
        {
            Vector512<float> power = WideMath.Exp(x * x * Vector512.Create(-0.5f)), share = WideMath.NormalShare(x, power);
            return (x * share, Vector512.FusedMultiplyAdd(x * power, Vector512.Create(WideMath.NormalDensity), share));
        }
    }

    // x s(z), with the slope s + x s (1 - s) z', for the logistic function s and z = 2 sqrt(2 / pi) (x + 0.044715 x^3).
    private readonly struct GeluTanh : IFunction
    {
        // Beyond it the share is 0 or 1, and the slope of z would become infinite.
        private const float Most = 30;

        private const float Factor = 1.5957691216f, Cubic = 0.044715f;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector512<float> Value, Vector512<float> Slope) Compute(Vector512<float> x)
        {
            Vector512<float> near = Vector512.Min(Vector512.Create(Most), Vector512.Max(Vector512.Create(-Most), x)), square = near * near;
            Vector512<float> z = near * Vector512.FusedMultiplyAdd(square, Vector512.Create(Factor * Cubic), Vector512.Create(Factor));
            Vector512<float> slope = Vector512.FusedMultiplyAdd(square, Vector512.Create(3 * Factor * Cubic), Vector512.Create(Factor));
            (Vector512<float> share, Vector512<float> other) = WideMath.Logistic(z);
            return (x * share, Vector512.FusedMultiplyAdd(near * slope, share * other, share));
        }
    }

    // x s(x), with the slope s + x s (1 - s), for the logistic function s.
    private readonly struct Silu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector512<float> Value, Vector512<float> Slope) Compute(Vector512<float> x)
        {
            (Vector512<float> share, Vector512<float> other) = WideMath.Logistic(x);
            return (x * share, Vector512.FusedMultiplyAdd(x, share * other, share));
        }
    }

    private readonly struct Relu : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector512<float> Value, Vector512<float> Slope) Compute(Vector512<float> x) =>
            (Vector512.Max(x, Vector512<float>.Zero), Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), Vector512<float>.One, Vector512<float>.Zero));
    }
}
