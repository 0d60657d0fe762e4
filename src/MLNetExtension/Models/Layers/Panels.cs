using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MLNetExtension.Models.Layers;

/// <summary>Copies matrices into the order in which kernels read them.</summary>
internal static unsafe class Panels
{
    private const int Alignment = 64;

    [ThreadStatic]
    private static float[]? t_memory;

    /// <summary>Gives the thread's memory for copies, aligned to 64 bytes and not initialized: the same every time, for one kernel after another.</summary>
    /// <param name="length">Numbers that it must hold.</param>
    public static float* Reserve(long length)
    {
        if (t_memory is null || t_memory.Length < length + Alignment)
            t_memory = GC.AllocateUninitializedArray<float>(checked((int)(length + Alignment)), pinned: true);
        return (float*)(((nint)Unsafe.AsPointer(ref t_memory[0]) + Alignment - 1) & -Alignment);
    }

    /// <summary>Copies rows in groups: of each group the first column, the second, and so on. Rows that the last group lacks are zeros.</summary>
    /// <param name="to">As many groups as there are, each [columns, together].</param>
    /// <param name="from">The first row.</param>
    /// <param name="rows">How many.</param>
    /// <param name="columns">Their length.</param>
    /// <param name="together">Rows of a group, a multiple of 4.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* to, MatrixView from, int rows, int columns, int together)
    {
        for (int row = 0; row < rows; row += together, to += together * columns)
        {
            int count = Math.Min(together, rows - row);
            MatrixView group = from.At(row, 0);
            if (count == together && group.RowStride == 1)
            {
                for (int k = 0; k < columns; k++)
                    new ReadOnlySpan<float>((float*)group.At(0, k).Address, together).CopyTo(new Span<float>(to + k * together, together));
                continue;
            }
            for (int i = 0; i < together; i += 4)
            {
                if (i + 4 <= count && group.ColumnStride == 1 && Sse.IsSupported)
                    CopyFour(to + i, group.At(i, 0), columns, together);
                else
                    CopyEach(to + i, group.At(i, 0), count - i, columns, together);
            }
        }
    }

    // Four rows, turned in squares of 4 by 4.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyFour(float* to, MatrixView from, int columns, int together)
    {
        float* r0 = (float*)from.Address, r1 = r0 + from.RowStride, r2 = r1 + from.RowStride, r3 = r2 + from.RowStride;
        int k = 0;
        for (; k + 4 <= columns; k += 4, to += 4 * together)
        {
            Vector128<float> a = Vector128.Load(r0 + k), b = Vector128.Load(r1 + k), c = Vector128.Load(r2 + k), d = Vector128.Load(r3 + k);
            Vector128<float> ab = Sse.UnpackLow(a, b), cd = Sse.UnpackLow(c, d), abHigh = Sse.UnpackHigh(a, b), cdHigh = Sse.UnpackHigh(c, d);
            Sse.MoveLowToHigh(ab, cd).Store(to);
            Sse.MoveHighToLow(cd, ab).Store(to + together);
            Sse.MoveLowToHigh(abHigh, cdHigh).Store(to + 2 * together);
            Sse.MoveHighToLow(cdHigh, abHigh).Store(to + 3 * together);
        }
        for (; k < columns; k++, to += together)
            (to[0], to[1], to[2], to[3]) = (r0[k], r1[k], r2[k], r3[k]);
    }

    private static void CopyEach(float* to, MatrixView from, int count, int columns, int together)
    {
        for (int k = 0; k < columns; k++, to += together)
        {
            for (int i = 0; i < 4; i++)
                to[i] = i < count ? *(float*)from.At(i, k).Address : 0;
        }
    }
}
