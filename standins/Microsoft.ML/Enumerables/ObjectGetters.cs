using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>The getters of a row that is an object's members.</summary>
internal sealed class ObjectGetters<TRow>
{
    private readonly Func<TRow> _current;
    private readonly Delegate[] _getters;
    private readonly IHost _host;

    public ObjectGetters(IHostEnvironment env, MemberSchema<TRow> members, bool[] active, Func<TRow> current)
    {
        _host = env.Register("Row");
        _current = current;
        _getters = [.. members.Columns.Select((c, i) => active[i] ? Create(c, members.Readers[i]) : null)];
    }

    public bool IsActive(DataViewSchema.Column column)
    {
        _host.Check((uint)column.Index < (uint)_getters.Length, $"Column index must be between 0 and {_getters.Length}");
        return _getters[column.Index] != null;
    }

    public ValueGetter<TValue> Get<TValue>(DataViewSchema.Column column)
    {
        _host.CheckParam(IsActive(column), nameof(column), "requested column not active");
        Delegate getter = _getters[column.Index];
        return getter as ValueGetter<TValue> ?? throw _host.Except($"Invalid TValue in GetGetter for column #{column}: '{typeof(TValue)}', " +
            $"expected type: '{getter.GetType().GetGenericArguments()[0]}'.");
    }

    private Delegate Create(MemberColumn column, Delegate reader)
    {
        Type type = column.MemberType;
        if (type == typeof(string))
            return Text((Func<TRow, string>)reader);
        if (type == typeof(string[]))
            return Texts((Func<TRow, string[]>)reader);
        string name = type.IsArray ? nameof(Array) : column.Type is VectorDataViewType ? nameof(Vector)
            : column.Type is KeyDataViewType ? nameof(Key) : nameof(Value);
        Type item = type.IsArray ? type.GetElementType() : type.IsGenericType && name == nameof(Vector) ? type.GetGenericArguments()[0] : type;
        return (Delegate)typeof(ObjectGetters<TRow>).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Instance).MakeGenericMethod(item)
            .Invoke(this, BindingFlags.DoNotWrapExceptions, null, name == nameof(Key) ? [reader, column.Type] : [reader], null);
    }

    private ValueGetter<T> Value<T>(Func<TRow, T> read) => (ref dst) => dst = read(_current());
    private ValueGetter<ReadOnlyMemory<char>> Text(Func<TRow, string> read) => (ref dst) => dst = read(_current()).AsMemory();
    private ValueGetter<VBuffer<T>> Vector<T>(Func<TRow, VBuffer<T>> read) => (ref dst) => read(_current()).CopyTo(ref dst);

    private ValueGetter<VBuffer<T>> Array<T>(Func<TRow, T[]> read) => (ref dst) =>
    {
        T[] values = read(_current()) ?? [];
        VBuffer<T>.Copy(values, 0, ref dst, values.Length);
    };

    private ValueGetter<VBuffer<ReadOnlyMemory<char>>> Texts(Func<TRow, string[]> read) => (ref dst) =>
    {
        ReadOnlyMemory<char>[] values = [.. (read(_current()) ?? []).Select(s => s.AsMemory())];
        VBuffer<ReadOnlyMemory<char>>.Copy(values, 0, ref dst, values.Length);
    };

    // Members count categories from 0, columns from 1; 0 is a missing one.
    private ValueGetter<T> Key<T>(Func<TRow, T> read, KeyDataViewType type) => (ref dst) =>
    {
        ulong key = Convert.ToUInt64(read(_current()));
        dst = (T)Convert.ChangeType(key < type.Count ? key + 1 : 0, typeof(T));
    };
}
