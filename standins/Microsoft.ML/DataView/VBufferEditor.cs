using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public static class VBufferEditor
{
    public static VBufferEditor<T> CreateFromBuffer<T>(scoped ref VBuffer<T> destination) =>
        destination.GetEditor(destination.Length, destination.GetValues().Length, null, false, false);

    public static VBufferEditor<T> Create<T>(scoped ref VBuffer<T> destination, int newLogicalLength, int? valuesCount = null,
        int? maxValuesCapacity = null, bool keepOldOnResize = false, bool requireIndicesOnDense = false) =>
        destination.GetEditor(newLogicalLength, valuesCount ?? newLogicalLength, maxValuesCapacity, keepOldOnResize, requireIndicesOnDense);
}

/// <summary>Writes into the arrays of a <see cref="VBuffer{T}"/>; the buffer given is not to be used again, the committed one is.</summary>
public readonly ref struct VBufferEditor<T>
{
    public readonly Span<T> Values;
    public readonly Span<int> Indices;
    private readonly int _length;
    private readonly T[] _values;
    private readonly int[] _indices;

    internal VBufferEditor(int length, int count, T[] values, int[] indices, bool usesIndices, bool createdNewValues, bool createdNewIndices)
    {
        _length = length;
        _values = values;
        _indices = indices;
        Values = values.AsSpan(0, count);
        Indices = usesIndices ? indices.AsSpan(0, count) : default;
        CreatedNewValues = createdNewValues;
        CreatedNewIndices = createdNewIndices;
    }

    public bool CreatedNewValues { get; }
    public bool CreatedNewIndices { get; }
    public VBuffer<T> Commit() => new(_length, Values.Length, _values, _indices);

    public VBuffer<T> CommitTruncated(int physicalValuesCount)
    {
        Contracts.CheckParam(physicalValuesCount <= Values.Length, nameof(physicalValuesCount),
            "Updating physicalValuesCount during CommitTruncated cannot be greater than the original physicalValuesCount value used in Create.");
        return new(_length, physicalValuesCount, _values, _indices);
    }
}
