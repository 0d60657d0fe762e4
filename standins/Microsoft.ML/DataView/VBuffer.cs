using System.Collections;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A vector of <see cref="Length"/> values, dense or sparse, over arrays that callers hand on to be filled again.</summary>
public readonly struct VBuffer<T> : IEnumerable
{
    public readonly int Length;
    private readonly T[] _values;
    private readonly int[] _indices;
    private readonly int _count;

    public VBuffer(int length, T[] values, int[] indices = null)
    {
        Contracts.CheckParam(length >= 0, nameof(length));
        Contracts.CheckParam((values?.Length ?? 0) >= length, nameof(values));
        Length = length;
        _count = length;
        _values = values;
        _indices = indices;
    }

    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        Contracts.CheckParam(length >= 0, nameof(length));
        Contracts.CheckParam(0 <= count && count <= length, nameof(count));
        Contracts.CheckParam((values?.Length ?? 0) >= count, nameof(values));
        Contracts.CheckParam(count == length || (indices?.Length ?? 0) >= count, nameof(indices));
        Length = length;
        _count = count;
        _values = values;
        _indices = indices;
    }

    public bool IsDense => _count == Length;
    public ReadOnlySpan<T> GetValues() => _values.AsSpan(0, _count);
    public ReadOnlySpan<int> GetIndices() => IsDense ? default : _indices.AsSpan(0, _count);

    public static void Copy(T[] source, int sourceIndex, ref VBuffer<T> destination, int length)
    {
        Contracts.CheckParam(0 <= length && length <= (source?.Length ?? 0), nameof(length));
        Contracts.CheckParam(0 <= sourceIndex && sourceIndex <= (source?.Length ?? 0) - length, nameof(sourceIndex));
        VBufferEditor<T> editor = VBufferEditor.Create(ref destination, length);
        source.AsSpan(sourceIndex, length).CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public void CopyToDense(ref VBuffer<T> destination)
    {
        VBufferEditor<T> editor = VBufferEditor.Create(ref destination, Length);
        CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public void CopyTo(ref VBuffer<T> destination)
    {
        VBufferEditor<T> editor = VBufferEditor.Create(ref destination, Length, _count);
        GetValues().CopyTo(editor.Values);
        GetIndices().CopyTo(editor.Indices);
        destination = editor.Commit();
    }

    public void CopyTo(Span<T> destination) => CopyTo(destination, 0);

    public void CopyTo(Span<T> destination, int destinationIndex, T defaultValue = default)
    {
        Contracts.CheckParam(0 <= destinationIndex && destinationIndex <= destination.Length - Length, nameof(destination),
            "Not large enough to hold these values.");
        if (IsDense)
        {
            GetValues().CopyTo(destination[destinationIndex..]);
            return;
        }
        destination.Slice(destinationIndex, Length).Fill(defaultValue);
        for (int i = 0; i < _count; i++)
            destination[destinationIndex + _indices[i]] = _values[i];
    }

    public IEnumerable<KeyValuePair<int, T>> Items(bool all = false) => Items(_values, _indices, Length, _count, all);
    public IEnumerable<T> DenseValues() => Items(all: true).Select(i => i.Value);

    public T GetItemOrDefault(int index)
    {
        Contracts.CheckParam(0 <= index && index < Length, nameof(index));
        int i = IsDense ? index : FirstAtOrAfter(index);
        return IsDense || (i < _count && _indices[i] == index) ? _values[i] : default;
    }

    public void GetItemOrDefault(int index, ref T destination) => destination = GetItemOrDefault(index);
    public IEnumerator GetEnumerator() => _values.GetEnumerator();

    public override string ToString() =>
        IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {_count} explicit values";

    internal VBufferEditor<T> GetEditor(int length, int count, int? maxCapacity, bool keepOldOnResize, bool requireIndicesOnDense)
    {
        Contracts.CheckParam(length >= 0, "newLogicalLength", "Must be non-negative.");
        Contracts.CheckParam(count >= 0, "valuesCount", "If specified, must be non-negative.");
        Contracts.CheckParam(count <= length, "valuesCount", "If specified, must be no greater than newLogicalLength");
        T[] values = _values;
        int[] indices = _indices;
        bool newValues = Grow(ref values, count, maxCapacity, keepOldOnResize);
        bool needsIndices = count < length || requireIndicesOnDense;
        bool newIndices = needsIndices && Grow(ref indices, count, maxCapacity, keepOldOnResize);
        return new VBufferEditor<T>(length, count, values, indices, needsIndices, newValues, newIndices);
    }

    // Arrays at least double, so that a getter called row after row soon stops allocating.
    private static bool Grow<TItem>(ref TItem[] array, int count, int? maxCapacity, bool keepOld)
    {
        int old = array?.Length ?? 0;
        if (old >= count)
            return false;
        TItem[] grown = new TItem[Math.Max(count, Math.Min(old * 2L, maxCapacity ?? Array.MaxLength))];
        if (keepOld)
            array?.CopyTo(grown, 0);
        array = grown;
        return true;
    }

    private static IEnumerable<KeyValuePair<int, T>> Items(T[] values, int[] indices, int length, int count, bool all)
    {
        int next = 0;
        for (int i = 0; i < count; i++)
        {
            int slot = count == length ? i : indices[i];
            for (; all && next < slot; next++)
                yield return new(next, default);
            yield return new(slot, values[i]);
            next = slot + 1;
        }
        for (; all && next < length; next++)
            yield return new(next, default);
    }

    private int FirstAtOrAfter(int index)
    {
        int found = _count == 0 ? 0 : Array.BinarySearch(_indices, 0, _count, index);
        return found < 0 ? ~found : found;
    }
}
