using static TorchSharp.torch;

namespace MLNetExtension.Checkpoints;

/// <summary>Moves a tensor's elements to and from a stream a piece at a time, so that no second copy of it is ever whole in memory.</summary>
internal static class TensorBytes
{
    // A piece of a megabyte or so: large beside the cost of a call, small beside a model.
    private const long PieceElements = 1 << 18;

    /// <summary>Writes the elements in row-major order, little-endian.</summary>
    /// <param name="tensor">Any shape, type and device.</param>
    /// <param name="stream">Where to write.</param>
    public static void Write(Tensor tensor, Stream stream)
    {
        using var scope = NewDisposeScope();
        var flat = tensor.detach().reshape(-1);
        for (long at = 0; at < flat.NumberOfElements; at += PieceElements)
        {
            using var pieceScope = NewDisposeScope();
            stream.Write(flat.narrow(0, at, Math.Min(PieceElements, flat.NumberOfElements - at)).cpu().contiguous().bytes);
        }
    }

    /// <summary>Fills the tensor's elements from the stream, converting them to its type.</summary>
    /// <param name="tensor">Contiguous; any type and device.</param>
    /// <param name="type">The type of the elements in the stream.</param>
    /// <param name="stream">Stands where the elements begin.</param>
    /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
    public static void Read(Tensor tensor, ScalarType type, Stream stream)
    {
        using var scope = NewDisposeScope();
        var flat = tensor.detach().view(-1);
        for (long at = 0; at < flat.NumberOfElements; at += PieceElements)
        {
            using var pieceScope = NewDisposeScope();
            long count = Math.Min(PieceElements, flat.NumberOfElements - at);
            var piece = empty(count, dtype: type);
            stream.ReadExactly(piece.bytes);
            flat.narrow(0, at, count).copy_(piece);
        }
    }
}
