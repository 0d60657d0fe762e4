using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// A B + b of float32 matrices in vectors of 512 bits. libtorch computes such products by MKL, which on AMD's processors uses 256, half of what they can do since Zen 5: there this takes 0.4 to 0.5 of the time.
/// Each element is the sum of the same products in the same order, whatever the number of rows and of threads. M rows, N columns, K the length of the sums.
/// </summary>
/// <remarks>After Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication": panels of B and blocks of A are copied into the order in which they are read, and stay in the caches; 12 rows of 32 columns are summed in registers.</remarks>
internal static unsafe class WideProduct
{
    /// <summary>The least number of elements of a matrix for which it is worth the copies.</summary>
    public const long LeastElements = 4096;

    // Rows and columns that are summed in registers: 24 of 32.
    private const int TileRows = 12, TileColumns = 32;

    // Of a panel of 256 by 32 of B, which stays in the first cache; of a block of 240 by 256 of A, in the second; of 256 by 1,024 of B, in the third.
    private const int BlockLength = 256, BlockRows = 240, BlockColumns = 1024;

    // AMD's first family that computes 512 bits at a time, Zen 5.
    private const int FirstWideFamily = 26;

    // Work below which a second thread costs more than it brings.
    private const double PartWork = 1 << 22;

    /// <summary>The switch of <see cref="AppContext"/> that leaves all products to libtorch, set before the first of them.</summary>
    public const string OffSwitch = "MLNetExtension.LibtorchProducts";

    /// <summary>Whether it is faster than libtorch on this machine, and not switched off.</summary>
    public static bool IsFaster { get; } = Avx512F.IsSupported && IsAmdFrom(FirstWideFamily) && !(AppContext.TryGetSwitch(OffSwitch, out bool isOff) && isOff);

    /// <summary>Computes C = A B + b, or C += A B.</summary>
    /// <param name="result">C, [M,N], rows contiguous.</param>
    /// <param name="left">A, [M,K], with any strides.</param>
    /// <param name="right">B, [K,N], with any strides.</param>
    /// <param name="bias">b, [N], contiguous; null for none.</param>
    /// <param name="adds">Whether C is added to; then there is no bias. Default false.</param>
    public static void Compute(Tensor result, Tensor left, Tensor right, Tensor? bias = null, bool adds = false)
    {
        Operands all = new(
            MatrixView.Of(left), MatrixView.Of(right), MatrixView.Of(result), bias is null ? 0 : MatrixView.Of(bias.unsqueeze(0)).Address, (int)result.shape[0], (int)result.shape[1], (int)left.shape[1], adds);
        double work = (double)all.Rows * all.Columns * all.Length;
        int parts = (int)Math.Clamp(work / PartWork, 1, get_num_threads());    // of the calling thread, a worker's share
        if (parts == 1)
            Compute(all);
        else
            Parallel.For(0, parts, part => Compute(all.Part(part, parts)));
        // What is read and written above must not be freed before.
        GC.KeepAlive((result, left, right, bias));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compute(Operands all)
    {
        float* leftBlock = Panels.Reserve((BlockRows + BlockColumns) * BlockLength), rightBlock = leftBlock + BlockRows * BlockLength;
        for (int column = 0; column < all.Columns; column += BlockColumns)
        {
            int columns = Math.Min(BlockColumns, all.Columns - column);
            for (int start = 0; start < all.Length; start += BlockLength)
            {
                int length = Math.Min(BlockLength, all.Length - start);
                Panels.Copy(rightBlock, all.Right.Transposed.At(column, start), columns, length, TileColumns);
                for (int row = 0; row < all.Rows; row += BlockRows)
                {
                    int rows = Math.Min(BlockRows, all.Rows - row);
                    Panels.Copy(leftBlock, all.Left.At(row, start), rows, length, TileRows);
                    ComputeBlock(leftBlock, rightBlock, all.Result.At(row, column), (rows, columns, length), all.Bias == 0 ? null : (float*)all.Bias + column, all.Adds || start > 0);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ComputeBlock(float* left, float* right, MatrixView result, (int Rows, int Columns, int Length) size, float* bias, bool adds)
    {
        float* tile = stackalloc float[TileRows * TileColumns], edge = stackalloc float[TileColumns];
        for (int column = 0; column < size.Columns; column += TileColumns)
        {
            int columns = Math.Min(TileColumns, size.Columns - column);
            float* start = adds || bias is null ? null : bias + column;
            if (start is not null && columns < TileColumns)
            {
                new ReadOnlySpan<float>(start, columns).CopyTo(new Span<float>(edge, TileColumns));
                start = edge;
            }
            for (int row = 0; row < size.Rows; row += TileRows)
            {
                int rows = Math.Min(TileRows, size.Rows - row);
                float* a = left + row * size.Length, b = right + column * size.Length;
                MatrixView c = result.At(row, column);
                if (rows == TileRows && columns == TileColumns)
                {
                    ComputeTile(a, b, size.Length, c, start, adds);
                    continue;
                }
                MatrixView whole = new((nint)tile, TileColumns, 1);
                ComputeTile(a, b, size.Length, whole, start, adds: false);
                for (int i = 0; i < rows; i++)
                    CopyRow(whole.At(i, 0), c.At(i, 0), columns, adds);
            }
        }
    }

    private static void CopyRow(MatrixView from, MatrixView to, int columns, bool adds)
    {
        float* source = (float*)from.Address, target = (float*)to.Address;
        for (int j = 0; j < columns; j++)
            target[j] = adds ? target[j] + source[j] : source[j];
    }

    // 12 rows of two vectors, each a local variable, so that all stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ComputeTile(float* a, float* b, int length, MatrixView result, float* bias, bool adds)
    {
        Vector512<float> left = bias is null ? default : Vector512.Load(bias), right = bias is null ? default : Vector512.Load(bias + 16);
        Vector512<float> l0 = left, l1 = left, l2 = left, l3 = left, l4 = left, l5 = left, l6 = left, l7 = left, l8 = left, l9 = left, l10 = left, l11 = left;
        Vector512<float> r0 = right, r1 = right, r2 = right, r3 = right, r4 = right, r5 = right, r6 = right, r7 = right, r8 = right, r9 = right, r10 = right, r11 = right;
        for (float* end = b + length * TileColumns; b < end; a += TileRows, b += TileColumns)
        {
            Vector512<float> bl = Vector512.Load(b), br = Vector512.Load(b + 16), x = Vector512.Create(a[0]);
            (l0, r0) = (Vector512.FusedMultiplyAdd(x, bl, l0), Vector512.FusedMultiplyAdd(x, br, r0));
            x = Vector512.Create(a[1]);
            (l1, r1) = (Vector512.FusedMultiplyAdd(x, bl, l1), Vector512.FusedMultiplyAdd(x, br, r1));
            x = Vector512.Create(a[2]);
            (l2, r2) = (Vector512.FusedMultiplyAdd(x, bl, l2), Vector512.FusedMultiplyAdd(x, br, r2));
            x = Vector512.Create(a[3]);
            (l3, r3) = (Vector512.FusedMultiplyAdd(x, bl, l3), Vector512.FusedMultiplyAdd(x, br, r3));
            x = Vector512.Create(a[4]);
            (l4, r4) = (Vector512.FusedMultiplyAdd(x, bl, l4), Vector512.FusedMultiplyAdd(x, br, r4));
            x = Vector512.Create(a[5]);
            (l5, r5) = (Vector512.FusedMultiplyAdd(x, bl, l5), Vector512.FusedMultiplyAdd(x, br, r5));
            x = Vector512.Create(a[6]);
            (l6, r6) = (Vector512.FusedMultiplyAdd(x, bl, l6), Vector512.FusedMultiplyAdd(x, br, r6));
            x = Vector512.Create(a[7]);
            (l7, r7) = (Vector512.FusedMultiplyAdd(x, bl, l7), Vector512.FusedMultiplyAdd(x, br, r7));
            x = Vector512.Create(a[8]);
            (l8, r8) = (Vector512.FusedMultiplyAdd(x, bl, l8), Vector512.FusedMultiplyAdd(x, br, r8));
            x = Vector512.Create(a[9]);
            (l9, r9) = (Vector512.FusedMultiplyAdd(x, bl, l9), Vector512.FusedMultiplyAdd(x, br, r9));
            x = Vector512.Create(a[10]);
            (l10, r10) = (Vector512.FusedMultiplyAdd(x, bl, l10), Vector512.FusedMultiplyAdd(x, br, r10));
            x = Vector512.Create(a[11]);
            (l11, r11) = (Vector512.FusedMultiplyAdd(x, bl, l11), Vector512.FusedMultiplyAdd(x, br, r11));
        }
        Store(l0, r0, result, 0, adds);
        Store(l1, r1, result, 1, adds);
        Store(l2, r2, result, 2, adds);
        Store(l3, r3, result, 3, adds);
        Store(l4, r4, result, 4, adds);
        Store(l5, r5, result, 5, adds);
        Store(l6, r6, result, 6, adds);
        Store(l7, r7, result, 7, adds);
        Store(l8, r8, result, 8, adds);
        Store(l9, r9, result, 9, adds);
        Store(l10, r10, result, 10, adds);
        Store(l11, r11, result, 11, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> left, Vector512<float> right, MatrixView result, int row, bool adds)
    {
        float* to = (float*)result.At(row, 0).Address;
        if (adds)
            (left, right) = (left + Vector512.Load(to), right + Vector512.Load(to + 16));
        left.Store(to);
        right.Store(to + 16);
    }

    private static bool IsAmdFrom(int family)
    {
        Span<byte> vendor = stackalloc byte[12];
        (_, int first, int last, int middle) = X86Base.CpuId(0, 0);
        BinaryPrimitives.WriteInt32LittleEndian(vendor, first);
        BinaryPrimitives.WriteInt32LittleEndian(vendor[4..], middle);
        BinaryPrimitives.WriteInt32LittleEndian(vendor[8..], last);
        int signature = X86Base.CpuId(1, 0).Eax;
        return vendor.SequenceEqual("AuthenticAMD"u8) && ((signature >> 8) & 0xF) + ((signature >> 20) & 0xFF) >= family;
    }

    private readonly record struct Operands(MatrixView Left, MatrixView Right, MatrixView Result, nint Bias, int Rows, int Columns, int Length, bool Adds)
    {
        // Of as many whole tiles, of rows or of columns, of which there are more.
        public Operands Part(int part, int parts)
        {
            if (Rows >= Columns)
            {
                (int first, int end) = Range(Rows, TileRows, part, parts);
                return this with { Left = Left.At(first, 0), Result = Result.At(first, 0), Rows = end - first };
            }
            (int start, int last) = Range(Columns, TileColumns, part, parts);
            return this with { Right = Right.At(0, start), Result = Result.At(0, start), Bias = Bias == 0 ? 0 : Bias + start * sizeof(float), Columns = last - start };
        }

        private static (int First, int End) Range(int count, int tile, int part, int parts)
        {
            long tiles = (count + tile - 1) / tile;
            return ((int)(tiles * part / parts) * tile, Math.Min(count, (int)(tiles * (part + 1) / parts) * tile));
        }
    }
}
