using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The memory of a float32 matrix on the CPU. It is its tensor's, which has to stay alive.</summary>
/// <param name="Address">Of the first element.</param>
/// <param name="RowStride">Elements from one row to the next.</param>
/// <param name="ColumnStride">Elements from one column to the next.</param>
internal readonly unsafe record struct MatrixView(nint Address, long RowStride, long ColumnStride)
{
    /// <summary>Columns as rows.</summary>
    public MatrixView Transposed => new(Address, ColumnStride, RowStride);

    /// <summary>Whether a tensor's numbers can be viewed: float32, on the CPU.</summary>
    /// <param name="tensor">Of any shape.</param>
    public static bool Suits(Tensor tensor) => tensor.dtype == ScalarType.Float32 && tensor.device_type == DeviceType.CPU;

    /// <summary>Views a tensor.</summary>
    /// <param name="tensor">Two dimensions, float32, on the CPU, not empty.</param>
    public static MatrixView Of(Tensor tensor)
    {
        // Of one element: a span of the whole would end at 2 GiB.
        using Tensor row = tensor.narrow(0, 0, 1), first = row.narrow(1, 0, 1);
        fixed (byte* address = first.bytes)
            return new MatrixView((nint)address, tensor.stride(0), tensor.stride(1));
    }

    /// <summary>Views the part that begins with an element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public MatrixView At(long row, long column) => this with { Address = Address + (nint)(sizeof(float) * (row * RowStride + column * ColumnStride)) };
}
