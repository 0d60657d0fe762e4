using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MLNetExtension.Models.Layers;

/// <summary>A product as large as the registers hold, 16 of 32 vectors of 512 bits, of matrices that stay in the caches.</summary>
internal static unsafe class WideTile
{
    /// <summary>Rows and columns of a product.</summary>
    public const int Rows = 8, Columns = 32;

    /// <summary>Multiplies 8 rows of A by 32 columns of B.</summary>
    /// <param name="a">A, in its order.</param>
    /// <param name="b">B, whose rows are contiguous.</param>
    /// <param name="step">Elements from one row of B to the next.</param>
    /// <param name="length">Columns of A and rows of B.</param>
    /// <param name="target">Where the product goes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TOrder>(float* a, float* b, int step, int length, Target target)
        where TOrder : struct, IOrder
    {
        // Each row two local variables, so that all stay in registers.
        Vector512<float> l0 = default, l1 = default, l2 = default, l3 = default, l4 = default, l5 = default, l6 = default, l7 = default;
        Vector512<float> r0 = default, r1 = default, r2 = default, r3 = default, r4 = default, r5 = default, r6 = default, r7 = default;
        for (int k = 0; k < length; k++, a += TOrder.ColumnStep, b += step)
        {
            Vector512<float> bl = Vector512.Load(b), br = Vector512.Load(b + 16), x = Vector512.Create(a[0]);
            (l0, r0) = (Vector512.FusedMultiplyAdd(x, bl, l0), Vector512.FusedMultiplyAdd(x, br, r0));
            x = Vector512.Create(a[TOrder.RowStep]);
            (l1, r1) = (Vector512.FusedMultiplyAdd(x, bl, l1), Vector512.FusedMultiplyAdd(x, br, r1));
            x = Vector512.Create(a[2 * TOrder.RowStep]);
            (l2, r2) = (Vector512.FusedMultiplyAdd(x, bl, l2), Vector512.FusedMultiplyAdd(x, br, r2));
            x = Vector512.Create(a[3 * TOrder.RowStep]);
            (l3, r3) = (Vector512.FusedMultiplyAdd(x, bl, l3), Vector512.FusedMultiplyAdd(x, br, r3));
            x = Vector512.Create(a[4 * TOrder.RowStep]);
            (l4, r4) = (Vector512.FusedMultiplyAdd(x, bl, l4), Vector512.FusedMultiplyAdd(x, br, r4));
            x = Vector512.Create(a[5 * TOrder.RowStep]);
            (l5, r5) = (Vector512.FusedMultiplyAdd(x, bl, l5), Vector512.FusedMultiplyAdd(x, br, r5));
            x = Vector512.Create(a[6 * TOrder.RowStep]);
            (l6, r6) = (Vector512.FusedMultiplyAdd(x, bl, l6), Vector512.FusedMultiplyAdd(x, br, r6));
            x = Vector512.Create(a[7 * TOrder.RowStep]);
            (l7, r7) = (Vector512.FusedMultiplyAdd(x, bl, l7), Vector512.FusedMultiplyAdd(x, br, r7));
        }
        target.Store(0, l0, r0);
        target.Store(1, l1, r1);
        target.Store(2, l2, r2);
        target.Store(3, l3, r3);
        target.Store(4, l4, r4);
        target.Store(5, l5, r5);
        target.Store(6, l6, r6);
        target.Store(7, l7, r7);
    }

    /// <summary>How A lies in memory, of which 32 rows or columns are next to one another: elements apart.</summary>
    internal interface IOrder
    {
        /// <summary>From one row to the next.</summary>
        static abstract int RowStep { get; }

        /// <summary>From one column to the next.</summary>
        static abstract int ColumnStep { get; }
    }

    /// <summary>32 elements of a column, then those of the next.</summary>
    internal readonly struct ByColumns : IOrder
    {
        public static int RowStep => 1;

        public static int ColumnStep => Columns;
    }

    /// <summary>32 elements of a row, then those of the next.</summary>
    internal readonly struct ByRows : IOrder
    {
        public static int RowStep => Columns;

        public static int ColumnStep => 1;
    }

    /// <summary>Where a product goes.</summary>
    /// <param name="to">The first element.</param>
    /// <param name="step">Elements from one row to the next.</param>
    internal readonly ref struct Target(float* to, int step)
    {
        /// <summary>How many rows are written. Default all.</summary>
        public int Count { get; init; } = Rows;

        /// <summary>Whether what is there is added to. Default false.</summary>
        public bool Adds { get; init; }

        /// <summary>What each row is multiplied by; null for nothing. Default null.</summary>
        public float* Factors { get; init; }

        /// <summary>Writes a row, unless it is one too many.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(int row, Vector512<float> left, Vector512<float> right)
        {
            if (row >= Count)
                return;
            float* at = to + (long)row * step;
            if (Adds)
            {
                left += Vector512.Load(at);
                right += Vector512.Load(at + 16);
            }
            if (Factors is not null)
            {
                left *= Vector512.Create(Factors[row]);
                right *= Vector512.Create(Factors[row]);
            }
            left.Store(at);
            right.Store(at + 16);
        }
    }
}
