using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Memory for what forward passes keep: a stack in large pieces, which stays from micro-batch to micro-batch. What is kept for long then never lies between what is freed soon, where it would leave gaps
/// that the C library's allocator cannot give back: that took up to two fifths of a training's memory. For one thread.
/// </summary>
internal sealed class ActivationMemory : IDisposable
{
    // 64 MiB of float32, which the allocator takes from the system and gives back as a whole. What is not written to costs nothing.
    private const long PieceLength = 16L << 20;
    private const long Alignment = 16;

    // Micro-batches differ in length: a piece that none of so many has needed is given back.
    private const int ResetsUntilTrim = 32;

    private readonly List<Tensor> _pieces = [];
    private ActivationMemory? _temporaries;
    private Mark _position;
    private int _mostPieces;
    private int _resets;

    /// <summary>A place in the stack.</summary>
    /// <param name="Piece">Number of a piece.</param>
    /// <param name="Offset">Elements from its beginning.</param>
    internal readonly record struct Mark(int Piece, long Offset);

    /// <summary>Another stack, for what is needed for a part of a pass alone.</summary>
    public ActivationMemory Temporaries => _temporaries ??= new ActivationMemory();

    /// <summary>The end of what is in use.</summary>
    public Mark Position => _position;

    /// <summary>Makes a matrix of the stack's memory, not initialized.</summary>
    /// <param name="like">A tensor of its type and device.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <returns>A view, valid until it is released; a tensor of its own where the stack holds another type, and on a GPU, whose allocator keeps no holes.</returns>
    public Tensor Allocate(Tensor like, long rows, long columns)
    {
        long length = rows * columns, aligned = (length + Alignment - 1) / Alignment * Alignment;
        if (like.device_type != DeviceType.CPU || (_pieces.Count > 0 && _pieces[0].dtype != like.dtype))
            return empty(rows, columns, dtype: like.dtype, device: like.device);
        while (_position.Piece < _pieces.Count && _position.Offset + aligned > _pieces[_position.Piece].numel())
            _position = new Mark(_position.Piece + 1, 0);
        if (_position.Piece == _pieces.Count)
            _pieces.Add(empty(Math.Max(aligned, PieceLength), dtype: like.dtype, device: like.device).DetachFromDisposeScope());
        // A view would share a count of changes with all others, and automatic differentiation would take a change of one for a change of each.
        Tensor result = empty(0, dtype: like.dtype, device: like.device).set_(_pieces[_position.Piece].narrow(0, _position.Offset, length).view(rows, columns));
        _position = _position with { Offset = _position.Offset + aligned };
        _mostPieces = Math.Max(_mostPieces, _position.Piece + 1);
        return result;
    }

    /// <summary>Releases everything that was made after a mark.</summary>
    /// <param name="mark">A position of before.</param>
    public void Release(Mark mark) => _position = mark;

    /// <summary>Releases everything.</summary>
    public void Reset()
    {
        _temporaries?.Reset();
        _position = default;
        if (++_resets < ResetsUntilTrim)
            return;
        while (_pieces.Count > _mostPieces)
        {
            _pieces[^1].Dispose();
            _pieces.RemoveAt(_pieces.Count - 1);
        }
        (_resets, _mostPieces) = (0, 0);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _temporaries?.Dispose();
        _pieces.ForEach(piece => piece.Dispose());
        _pieces.Clear();
        _position = default;
    }
}
