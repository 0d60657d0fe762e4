using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Moves a tensor's elements to and from a stream a piece at a time, so that no second copy of it is ever whole in memory.</summary>
internal static class TensorBytes
{
    // A piece of a megabyte or so: large beside the cost of a call, small beside a model.
    private const long PieceElements = 1 << 18;

    /// <summary>Writes the elements in row-major order, little-endian.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="stream">Where to write.</param>
    public static void Write(Tensor tensor, Stream stream) =>
        ForEachPiece(tensor, piece => stream.Write(piece.cpu().contiguous().bytes));

    /// <summary>Fills the tensor's elements from the stream, converting them to its type.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="type">The type of the elements in the stream.</param>
    /// <param name="stream">Stands where the elements begin.</param>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
    public static void Read(Tensor tensor, ScalarType type, Stream stream) =>
        ForEachPiece(tensor, piece => piece.copy_(Next(piece, type, stream)));

    /// <summary>Tells whether the stream holds what the tensor's elements are, once converted to its type.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="type">The type of the elements in the stream.</param>
    /// <param name="stream">Stands where the elements begin.</param>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor does.</exception>
    public static bool AreEqual(Tensor tensor, ScalarType type, Stream stream)
    {
        bool equal = true;
        ForEachPiece(tensor, piece => equal &= Next(piece, type, stream).to(piece.dtype, piece.device).eq(piece).all().item<bool>());
        return equal;
    }

    private static Tensor Next(Tensor piece, ScalarType type, Stream stream)
    {
        Tensor next = empty(piece.shape, dtype: type);
        stream.ReadExactly(next.bytes);
        return next;
    }

    // Runs of elements where they lie in a row in memory; else, as in a transpose, runs of rows.
    private static void ForEachPiece(Tensor tensor, Action<Tensor> visit)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor whole = tensor.detach();
        Tensor rows = whole.is_contiguous() ? whole.view(-1) : whole;
        long count = rows.shape[0], each = Math.Max(1, PieceElements / Math.Max(1, rows.numel() / Math.Max(1, count)));
        for (long at = 0; at < count; at += each)
        {
            using var pieceScope = NewDisposeScope();
            visit(rows.narrow(0, at, Math.Min(each, count - at)));
        }
    }
}
