using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Writes and reads a tensor's elements a piece at a time, straight from and to the tensor's own memory where they lie there as in the file, so that memory never holds a second copy.</summary>
internal static class TensorBytes
{
    // About a megabyte: enough to make the cost of a call negligible, little compared with a model.
    private const long PieceElements = 1 << 18;

    /// <summary>Writes the elements in row-major order, little-endian.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="stream">Where to write.</param>
    /// <param name="type">The type of the elements in the stream, to which they are converted. Default: the tensor's.</param>
    public static void Write(Tensor tensor, Stream stream, ScalarType? type = null) =>
        ForEachPiece(tensor, piece => stream.Write(piece.to(type ?? piece.dtype).cpu().contiguous().bytes));

    /// <summary>Fills the tensor's elements from the stream, converting them to its type.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="type">The type of the elements in the stream.</param>
    /// <param name="stream">Positioned at the first element.</param>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
    public static void Read(Tensor tensor, ScalarType type, Stream stream) => ReadPieces(tensor, type, stream, check: null);

    /// <summary>Fills the tensor's elements as <see cref="Read"/> does, from a stranger's file: infinite elements and such that are no numbers are refused.</summary>
    /// <param name="tensor">Any shape, strides, floating-point type and device.</param>
    /// <param name="entry">The tensor in the file.</param>
    /// <param name="stream">Positioned at the first element.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InvalidDataException">An element is not finite, or is too large for the tensor's type.</exception>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
    public static void ReadFinite(Tensor tensor, SafetensorsEntry entry, Stream stream, string path) => ReadPieces(tensor, entry.Type, stream, piece =>
    {
        // In the tensor's type, because a large float64 is infinite in float32.
        if (!FiniteBits.AreFinite(piece))
            throw new InvalidDataException($"{path}: the tensor '{entry.Name}' holds an element that is NaN or infinite in {SafetensorsTypes.NameOf(piece.dtype)}, expected finite numbers.");
    });

    /// <summary>Whether the stream holds the tensor's elements, once converted to its type.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="type">The type of the elements in the stream.</param>
    /// <param name="stream">Positioned at the first element.</param>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor does.</exception>
    public static bool AreEqual(Tensor tensor, ScalarType type, Stream stream)
    {
        bool equal = true;
        ForEachPiece(tensor, piece => equal &= Fill(empty(piece.shape, dtype: type), stream).to(piece.dtype, piece.device).eq(piece).all().item<bool>());
        return equal;
    }

    private static void ReadPieces(Tensor tensor, ScalarType type, Stream stream, Action<Tensor>? check)
    {
        using var scope = NewDisposeScope();
        // One for all pieces, where the elements have to be converted or moved: of many that are freed, the C library's allocator keeps holes.
        Tensor buffer = empty(IsReadAsItIs(tensor, type) ? 0 : Math.Min(tensor.numel(), Math.Max(PieceElements, RowElements(tensor))), dtype: type);
        ForEachPiece(tensor, piece =>
        {
            if (IsReadAsItIs(piece, type))
                Fill(piece, stream);
            else
                piece.copy_(Fill(buffer.narrow(0, 0, piece.numel()).view(piece.shape), stream));
            check?.Invoke(piece);
        });
    }

    private static bool IsReadAsItIs(Tensor tensor, ScalarType type) => tensor.dtype == type && tensor.device_type == DeviceType.CPU && tensor.is_contiguous();

    private static long RowElements(Tensor tensor) => tensor.dim() == 0 ? 1 : tensor.numel() / Math.Max(1, tensor.shape[0]);

    private static Tensor Fill(Tensor destination, Stream stream)
    {
        stream.ReadExactly(destination.bytes);
        return destination;
    }

    /// <summary>Visits the elements in row-major order, about a megabyte at a time: runs of elements where the tensor is contiguous; otherwise, as for a transpose, runs of rows.</summary>
    /// <param name="tensor">Any shape, strides, type and device.</param>
    /// <param name="visit">Gets each piece, which is valid until it returns.</param>
    public static void ForEachPiece(Tensor tensor, Action<Tensor> visit)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor detached = tensor.detach();
        Tensor rows = detached.is_contiguous() ? detached.view(-1) : detached;
        long count = rows.shape[0], rowElements = Math.Max(1, rows.numel() / Math.Max(1, count));
        long pieceRows = Math.Max(1, PieceElements / rowElements);
        for (long first = 0; first < count; first += pieceRows)
        {
            using var pieceScope = NewDisposeScope();
            visit(rows.narrow(0, first, Math.Min(pieceRows, count - first)));
        }
    }
}
