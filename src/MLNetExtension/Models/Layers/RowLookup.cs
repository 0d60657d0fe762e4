using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Looks up rows of a matrix, into memory that is there.</summary>
internal static unsafe class RowLookup
{
    /// <summary>Copies rows.</summary>
    /// <param name="result">[P,C], contiguous.</param>
    /// <param name="table">[V,C], contiguous, of the same type.</param>
    /// <param name="rows">Their numbers, [P] int64, contiguous.</param>
    public static void Gather(Tensor result, Tensor table, Tensor rows)
    {
        if (!MatrixView.Suits(table) || rows.numel() == 0)
        {
            using Tensor found = table.index_select(0, rows);
            result.copy_(found);
            return;
        }
        MatrixView to = MatrixView.Of(result), from = MatrixView.Of(table);
        long[] numbers = rows.data<long>().ToArray();
        int width = (int)table.shape[1];
        long row = 0;
        foreach (long number in numbers)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)number, (ulong)table.shape[0], nameof(rows));
            new ReadOnlySpan<float>((float*)from.At(number, 0).Address, width).CopyTo(new Span<float>((float*)to.At(row++, 0).Address, width));
        }
        GC.KeepAlive((result, table));
    }
}
