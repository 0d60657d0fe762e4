using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Fills objects' members from the columns of rows.</summary>
internal sealed class ObjectReader<TRow>
    where TRow : class
{
    private readonly List<(MemberColumn Member, int Index)> _bound = [];

    public ObjectReader(IHostEnvironment env, DataViewSchema schema, bool ignoreMissingColumns, SchemaDefinition definition)
    {
        MemberColumn[] members = MemberColumn.Create(typeof(TRow), definition ?? SchemaDefinition.Create(typeof(TRow), SchemaDefinition.Direction.Write));
        IHost host = env.Register("TypedCursorable");
        foreach (MemberColumn member in members)
        {
            if (schema.GetColumnOrNull(member.Name) is not { } column)
            {
                if (ignoreMissingColumns)
                    continue;
                throw host.ExceptSchemaMismatch("Schema", "", member.Name);
            }
            MemberColumn.GetVectorAndItemType(member.Member, out bool isVector, out Type item);
            VectorDataViewType vector = column.Type as VectorDataViewType;
            if (isVector != (vector != null) || item != (vector?.ItemType ?? column.Type).RawType)
            {
                throw host.Except($"Can't bind the IDataView column '{member.Name}' of type '{column.Type}' to field or property " +
                    $"'{member.Member.Name}' of type '{member.MemberType.FullName}'.");
            }
            _bound.Add((member, column.Index));
        }
        Dependencies = [.. schema.Where(c => _bound.Any(b => b.Index == c.Index))];
    }

    public IReadOnlyList<DataViewSchema.Column> Dependencies { get; }

    /// <summary>What fills an object from where the row then stands.</summary>
    public Action<TRow> Bind(DataViewRow row)
    {
        Action<TRow>[] setters = [.. _bound.Select(b => Bind(row, row.Schema[b.Index], b.Member))];
        return target => Array.ForEach(setters, set => set(target));
    }

    private static Action<TRow> Bind(DataViewRow row, DataViewSchema.Column column, MemberColumn member)
    {
        Type type = member.MemberType;
        Delegate write = member.CompileWriter();
        if (type == typeof(string))
            return Text(row.GetGetter<ReadOnlyMemory<char>>(column), (Action<TRow, string>)write);
        Delegate getter = RowCursorUtils.GetGetterAsDelegate(row, column.Index);
        if (column.Type is not VectorDataViewType)
            return Call(nameof(Value), type, getter, write);
        Delegate read = member.CompileReader();
        return type == typeof(string[]) ? Texts((ValueGetter<VBuffer<ReadOnlyMemory<char>>>)getter, (Func<TRow, string[]>)read, (Action<TRow, string[]>)write)
            : type.IsArray ? Call(nameof(Items), type.GetElementType(), getter, read, write)
            : Call(nameof(Vector), type.GetGenericArguments()[0], getter, read, write);
    }

    private static Action<TRow> Call(string name, Type item, params object[] args) =>
        (Action<TRow>)typeof(ObjectReader<TRow>).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static).MakeGenericMethod(item).Invoke(null, args);

    private static Action<TRow> Value<T>(ValueGetter<T> get, Action<TRow, T> write)
    {
        T value = default;
        return row =>
        {
            get(ref value);
            write(row, value);
        };
    }

    private static Action<TRow> Text(ValueGetter<ReadOnlyMemory<char>> get, Action<TRow, string> write)
    {
        ReadOnlyMemory<char> value = default;
        return row =>
        {
            get(ref value);
            write(row, value.ToString());
        };
    }

    // An object's own array is filled again where its length fits.
    private static Action<TRow> Items<T>(ValueGetter<VBuffer<T>> get, Func<TRow, T[]> read, Action<TRow, T[]> write)
    {
        VBuffer<T> value = default;
        return row =>
        {
            get(ref value);
            T[] items = read(row) is { } old && old.Length == value.Length && value.IsDense ? old : new T[value.Length];
            value.CopyTo(items);
            write(row, items);
        };
    }

    private static Action<TRow> Texts(ValueGetter<VBuffer<ReadOnlyMemory<char>>> get, Func<TRow, string[]> read, Action<TRow, string[]> write)
    {
        VBuffer<ReadOnlyMemory<char>> value = default;
        return row =>
        {
            get(ref value);
            string[] items = read(row) is { } old && old.Length == value.Length ? old : new string[value.Length];
            foreach ((int i, ReadOnlyMemory<char> item) in value.Items(all: true))
                items[i] = item.ToString();
            write(row, items);
        };
    }

    private static Action<TRow> Vector<T>(ValueGetter<VBuffer<T>> get, Func<TRow, VBuffer<T>> read, Action<TRow, VBuffer<T>> write) => row =>
    {
        VBuffer<T> value = read(row);
        get(ref value);
        write(row, value);
    };
}
