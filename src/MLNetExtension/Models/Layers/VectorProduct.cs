using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// x W' of a few vectors and a matrix, as every generated token needs: it takes as long as the matrix is read from memory, which libtorch's kernels do at a third to a half of what the machine can. Rows are shared between
/// threads, and stored types are converted on the way. P vectors, C inputs, R outputs.
/// </summary>
internal static unsafe class VectorProduct
{
    /// <summary>Most vectors: beyond, libtorch's products are faster.</summary>
    private const long MostVectors = 4;

    // Rows that are multiplied at the same time.
    private const int Together = 4;

    // Weights below which a second thread costs more than it brings.
    private const long PartLength = 1 << 16;

    /// <summary>Whether a product can be computed here: a few vectors in float32 on the CPU, without a gradient.</summary>
    /// <param name="input">x, [...,C].</param>
    /// <param name="weight">W, [R,C].</param>
    public static bool Suits(Tensor input, LinearWeight weight) =>
        Vector256.IsHardwareAccelerated && !is_grad_enabled() && input.dtype == ScalarType.Float32 && input.device_type == DeviceType.CPU && input.numel() <= MostVectors * weight.Inputs
        && weight.Values.is_contiguous() && weight.Values.dtype is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Int8 && weight.Scales?.dtype is null or ScalarType.Float32;

    /// <summary>Computes x W', [...,C] to [...,R].</summary>
    /// <param name="input">x, [...,C].</param>
    /// <param name="weight">W, [R,C].</param>
    public static Tensor Multiply(Tensor input, LinearWeight weight)
    {
        using Tensor vectors = input.contiguous();
        Tensor output = empty([.. input.shape[..^1], weight.Outputs]);
        Operands operands = new(
            Address(vectors), Address(weight.Values), weight.Scales is null ? 0 : Address(weight.Scales), Address(output), (int)(input.numel() / weight.Inputs), (int)weight.Inputs, weight.Outputs);
        int parts = (int)Math.Clamp(weight.Values.numel() / PartLength, 1, KernelThreads.Available);
        if (parts == 1)
            Multiply(weight.Values.dtype, operands, 0, operands.Outputs);
        else
            Parallel.For(0, parts, part => Multiply(weight.Values.dtype, operands, operands.Outputs * part / parts, operands.Outputs * (part + 1) / parts));
        // What is read and written above must not be freed before.
        GC.KeepAlive(weight.Values);
        GC.KeepAlive(weight.Scales);
        return output;
    }

    private static nint Address(Tensor tensor)
    {
        // Of one row: a span of the whole would end at 2 GiB.
        using Tensor first = tensor.narrow(0, 0, 1);
        fixed (byte* address = first.bytes)
            return (nint)address;
    }

    private static void Multiply(ScalarType type, Operands operands, long first, long end)
    {
        switch (type)
        {
            case ScalarType.Float32:
                Multiply<float, Float32Row>(operands, first, end);
                break;
            case ScalarType.BFloat16:
                Multiply<ushort, BFloat16Row>(operands, first, end);
                break;
            default:
                Multiply<sbyte, Int8Row>(operands, first, end);
                break;
        }
    }

    // Every result is the sum of the same products in the same order, however many vectors and threads there are.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<T, TRow>(Operands operands, long first, long end)
        where T : unmanaged
        where TRow : IRow<T>
    {
        int inputs = operands.Inputs;
        float* results = (float*)operands.Result, scales = (float*)operands.Scales;
        float* sums = stackalloc float[Together];
        for (long row = first; row < end; row += Together)
        {
            int rows = (int)Math.Min(Together, end - row);
            T* weights = (T*)operands.Weights + row * inputs;
            for (int vector = 0; vector < operands.Vectors; vector++)
            {
                float* input = (float*)operands.Input + (long)vector * inputs;
                if (rows == Together)
                    Dot4<T, TRow>(weights, input, inputs, sums);
                else
                    for (int i = 0; i < rows; i++)
                        sums[i] = Dot<T, TRow>(weights + (long)i * inputs, input, inputs);
                for (int i = 0; i < rows; i++)
                    results[vector * operands.Outputs + row + i] = scales == null ? sums[i] : scales[row + i] * sums[i];
            }
        }
    }

    // Four rows, so that there are four sums to add to while one addition is under way.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Dot4<T, TRow>(T* weights, float* input, int length, float* sums)
        where T : unmanaged
        where TRow : IRow<T>
    {
        T* second = weights + length, third = second + length, fourth = third + length;
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> x = Vector256.Load(input + i);
            a = Vector256.FusedMultiplyAdd(TRow.Load(weights + i), x, a);
            b = Vector256.FusedMultiplyAdd(TRow.Load(second + i), x, b);
            c = Vector256.FusedMultiplyAdd(TRow.Load(third + i), x, c);
            d = Vector256.FusedMultiplyAdd(TRow.Load(fourth + i), x, d);
        }
        sums[0] = AddRest<T, TRow>(Vector256.Sum(a), weights, input, i, length);
        sums[1] = AddRest<T, TRow>(Vector256.Sum(b), second, input, i, length);
        sums[2] = AddRest<T, TRow>(Vector256.Sum(c), third, input, i, length);
        sums[3] = AddRest<T, TRow>(Vector256.Sum(d), fourth, input, i, length);
    }

    private static float Dot<T, TRow>(T* weights, float* input, int length)
        where T : unmanaged
        where TRow : IRow<T>
    {
        Vector256<float> sum = default;
        int i = 0;
        for (; i <= length - Vector256<float>.Count; i += Vector256<float>.Count)
            sum = Vector256.FusedMultiplyAdd(TRow.Load(weights + i), Vector256.Load(input + i), sum);
        return AddRest<T, TRow>(Vector256.Sum(sum), weights, input, i, length);
    }

    private static float AddRest<T, TRow>(float sum, T* weights, float* input, int first, int length)
        where T : unmanaged
        where TRow : IRow<T>
    {
        for (int i = first; i < length; i++)
            sum += TRow.LoadOne(weights + i) * input[i];
        return sum;
    }

    private readonly record struct Operands(nint Input, nint Weights, nint Scales, nint Result, int Vectors, int Inputs, long Outputs);

    // How eight stored numbers become float32.
    private interface IRow<T>
        where T : unmanaged
    {
        static abstract Vector256<float> Load(T* at);

        static abstract float LoadOne(T* at);
    }

    private readonly struct Float32Row : IRow<float>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(float* at) => Vector256.Load(at);

        public static float LoadOne(float* at) => *at;
    }

    private readonly struct BFloat16Row : IRow<ushort>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(ushort* at)
        {
            var bits = Vector128.Load(at);
            return (Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)) << 16).AsSingle();
        }

        public static float LoadOne(ushort* at) => BitConverter.UInt32BitsToSingle((uint)*at << 16);
    }

    private readonly struct Int8Row : IRow<sbyte>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(sbyte* at)
        {
            Vector128<short> wide = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)at).AsSByte());
            return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide)));
        }

        public static float LoadOne(sbyte* at) => *at;
    }
}
