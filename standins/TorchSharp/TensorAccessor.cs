using System.Collections;

namespace TorchSharp.Utils;

/// <summary>Reads and writes the elements of a tensor in CPU memory, which it keeps alive.</summary>
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T> where T : unmanaged
{
    internal const string NotOnCpu =
        "Reading data from non-CPU memory is not supported. Move or copy the tensor to the cpu before reading.";

    private readonly long[] shape;
    private readonly long[] strides;
    private readonly bool contiguous;
    private torch.Tensor? tensor;
    private T* data;

    internal TensorAccessor(torch.Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU) throw new InvalidOperationException(NotOnCpu);
        (shape, strides, contiguous) = (tensor.shape, tensor.stride(), tensor.is_contiguous());
        data = (T*)tensor.Data();
        this.tensor = tensor;
    }

    public long Count => tensor?.numel() ?? 0;
    public bool IsReadOnly => false;

    public T[] ToArray()
    {
        var array = new T[Count];
        if (array.Length > 0) CopyTo(array);
        return array;
    }

    public T this[params long[] indices]
    {
        get => data[Offset(indices)];
        set => data[Offset(indices)] = value;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);
    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom(new ReadOnlySpan<T>(array), arrayIndex, tensorIndex);

    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        int count = Common(array.Length, arrayIndex, tensorIndex);
        if (contiguous) new ReadOnlySpan<T>(data + tensorIndex, count).CopyTo(array[arrayIndex..]);
        else for (int i = 0; i < count; i++) array[arrayIndex + i] = data[Offset(tensorIndex + i)];
    }

    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        int count = Common(array.Length, arrayIndex, tensorIndex);
        if (contiguous) array.Slice(arrayIndex, count).CopyTo(new Span<T>(data + tensorIndex, count));
        else for (int i = 0; i < count; i++) data[Offset(tensorIndex + i)] = array[arrayIndex + i];
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++) yield return At(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        tensor = null;
        data = null;
    }

    private T At(long index) => data[Offset(index)];

    private int Common(int arrayLength, int arrayIndex, long tensorIndex)
    {
        if (tensorIndex < 0 || tensorIndex >= Count) throw new ArgumentOutOfRangeException("startingIndex");
        return (int)Math.Max(0, Math.Min(arrayLength - arrayIndex, Count - tensorIndex));
    }

    private long Offset(long[] indices)
    {
        if (indices.Length == 1)
        {
            if (indices[0] >= Count) throw new IndexOutOfRangeException();
            if (indices[0] < 0) throw new ArgumentOutOfRangeException($"{indices[0]} in a collection of  ${Count} elements.");
            return Offset(indices[0]);
        }
        long offset = 0;
        for (int i = 0; i < shape.Length; i++)
        {
            if (indices[i] < 0 || indices[i] >= shape[i]) throw new IndexOutOfRangeException($"{indices[i]} >= {shape[i]} in dimension {i}.");
            offset += indices[i] * strides[i];
        }
        return offset;
    }

    /// <summary>Of an element by its place in row-major order.</summary>
    private long Offset(long index)
    {
        if (contiguous) return index;
        long offset = 0;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            (index, long at) = Math.DivRem(index, shape[i]);
            offset += at * strides[i];
        }
        return offset;
    }
}
