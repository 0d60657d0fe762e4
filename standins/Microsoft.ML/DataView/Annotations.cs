using Microsoft.ML.Data;

namespace Microsoft.ML;

public sealed partial class DataViewSchema
{
    /// <summary>What is known of a column beside its type: values by kind, computed when asked for.</summary>
    public sealed class Annotations
    {
        private readonly Delegate[] _getters;

        private Annotations(DataViewSchema schema, Delegate[] getters)
        {
            Schema = schema;
            _getters = getters;
        }

        public static Annotations Empty { get; } = new(new DataViewSchema([]), []);
        public DataViewSchema Schema { get; }

        public ValueGetter<TValue> GetGetter<TValue>(Column column) =>
            column.Index >= _getters.Length ? throw new ArgumentException(nameof(column))
            : _getters[column.Index] as ValueGetter<TValue> ?? throw new InvalidOperationException("Invalid call to 'GetGetter'");

        public void GetValue<TValue>(string kind, ref TValue value)
        {
            Column column = Schema.GetColumnOrNull(kind) ?? throw new InvalidOperationException("Invalid call to 'GetValue'");
            GetGetter<TValue>(column)(ref value);
        }

        public override string ToString() => string.Join(", ", Schema.Select(c => c.Name));

        public sealed class Builder
        {
            private readonly List<(DetachedColumn Column, Delegate Getter)> _items = [];

            public void Add(Annotations annotations, Func<string, bool> selector)
            {
                if (annotations == null)
                    return;
                ArgumentNullException.ThrowIfNull(selector);
                foreach (Column column in annotations.Schema.Where(c => selector(c.Name)))
                    _items.Add((new(column), annotations._getters[column.Index]));
            }

            public void Add<TValue>(string name, DataViewType type, ValueGetter<TValue> getter, Annotations annotations = null)
            {
                DetachedColumn column = new(name, type, annotations);
                ArgumentNullException.ThrowIfNull(getter);
                CheckType<TValue>(type);
                _items.Add((column, getter));
            }

            public void Add(string name, DataViewType type, Delegate getter, Annotations annotations = null)
            {
                DetachedColumn column = new(name, type, annotations);
                ArgumentNullException.ThrowIfNull(getter);
                Type expected = typeof(ValueGetter<>).MakeGenericType(type.RawType);
                if (getter.GetType() != expected)
                    throw new ArgumentException($"getter must be of type '{expected.FullName}'", nameof(getter));
                _items.Add((column, getter));
            }

            public void AddPrimitiveValue<TValue>(string name, PrimitiveDataViewType type, TValue value, Annotations annotations = null)
            {
                DetachedColumn column = new(name, type, annotations);
                CheckType<TValue>(type);
                _items.Add((column, (ValueGetter<TValue>)((ref dst) => dst = value)));
            }

            public Annotations ToAnnotations() => new(new DataViewSchema([.. _items.Select(i => i.Column)]), [.. _items.Select(i => i.Getter)]);

            private static void CheckType<TValue>(DataViewType type)
            {
                if (type.RawType != typeof(TValue))
                    throw new ArgumentException($"type.RawType must be of type '{typeof(TValue).FullName}'.", nameof(type));
            }
        }
    }
}
