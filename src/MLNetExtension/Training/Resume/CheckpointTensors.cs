using System.Numerics;
using System.Runtime.InteropServices;
using MLNetExtension.Models;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Resume;

/// <summary>The tensors of a checkpoint: weights, the best and the averaged weights where there are any, [P], and the optimizer's state, vectors; all finite.</summary>
internal static class CheckpointTensors
{
    /// <summary>Names of the tensors.</summary>
    public const string Weights = "weights", Best = "best_weights", Average = "averaged_weights";

    // Bytes; a multiple of every element's size.
    private const int PieceLength = 1 << 20;

    /// <summary>Checks that every element is a finite number.</summary>
    /// <param name="tensors">Names and tensors, each [P].</param>
    /// <exception cref="InvalidDataException">One is not; the message names the tensor.</exception>
    public static void RequireFinite(IEnumerable<(string Name, Tensor Tensor)> tensors)
    {
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (tensor.is_floating_point() && FiniteWeights.CountNonFinite(tensor) > 0)
                throw NotFinite(name);
        }
    }

    /// <summary>Checks names, types and shapes of the tensors in a stream, and that every element is a finite number.</summary>
    /// <param name="stream">Safetensors, read from the beginning to the end.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="state">What is to be among them.</param>
    /// <exception cref="InvalidDataException">They are not those of a checkpoint.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static void Verify(Stream stream, long length, CheckpointMetadata state)
    {
        IReadOnlyList<SafetensorsEntry> entries = SafetensorsHeader.Read(stream, length);
        string[] expected = [Weights, .. state.OptimizerState, .. state.Best?.Loss is null ? [] : new[] { Best }, .. state.Average is null ? [] : new[] { Average }];
        if (!entries.Select(entry => entry.Name).Order().SequenceEqual(expected.Order()))
            throw new InvalidDataException($"it holds {entries.Count} tensors, expected {string.Join(", ", expected)}.");
        byte[] buffer = new byte[PieceLength];
        long weights = entries.First(entry => entry.Name == Weights).Shape.FirstOrDefault();
        foreach (SafetensorsEntry entry in entries)
        {
            bool areWeights = entry.Name is Weights or Best or Average;
            bool isNumeric = entry.Type is ScalarType.Float32 or ScalarType.Float64 || (entry.Type == ScalarType.Byte && !areWeights);
            if (entry.Shape.Length != 1 || !isNumeric || (areWeights && entry.Shape[0] != weights))
                throw new InvalidDataException($"'{entry.Name}' is {entry.Description}, expected one dimension of F32 or F64, weights as long as one another.");
            VerifyFinite(entry, stream, buffer);
        }
    }

    private static void VerifyFinite(SafetensorsEntry entry, Stream stream, byte[] buffer)
    {
        for (long left = entry.End - entry.Begin; left > 0;)
        {
            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, left));
            stream.ReadExactly(piece);
            bool isFinite = entry.Type switch
            {
                ScalarType.Float32 => AllFinite(MemoryMarshal.Cast<byte, float>(piece)),
                ScalarType.Float64 => AllFinite(MemoryMarshal.Cast<byte, double>(piece)),
                _ => true,
            };
            if (!isFinite)
                throw NotFinite(entry.Name);
            left -= piece.Length;
        }
    }

    private static bool AllFinite<T>(ReadOnlySpan<T> values)
        where T : IFloatingPointIeee754<T>
    {
        foreach (T value in values)
        {
            if (!T.IsFinite(value))
                return false;
        }
        return true;
    }

    private static InvalidDataException NotFinite(string name) => new($"'{name}' holds values that are not finite.");
}
