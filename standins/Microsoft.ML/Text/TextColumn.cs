using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>One column of a text file at the current line.</summary>
internal abstract class TextColumn
{
    public abstract Delegate Getter { get; }

    public abstract void Read(TextFields fields, long line);

    public static TextColumn Create(DataViewSchema.Column column, int[] fields, bool missingRealsAreNaN, TextFileReport report)
    {
        VectorDataViewType vector = column.Type as VectorDataViewType;
        Type item = vector?.ItemType.RawType ?? column.Type.RawType;
        Type type = (vector == null ? typeof(Scalar<>) : typeof(Vector<>)).MakeGenericType(item);
        return (TextColumn)Activator.CreateInstance(type, column.Name, fields, missingRealsAreNaN, report);
    }

    private abstract class Typed<T>(string name, int[] sources, bool missingRealsAreNaN, TextFileReport report) : TextColumn
    {
        private static readonly bool _isReal = TextValues.IsReal(typeof(T));
        private readonly TextParser<T> _parse = TextValues.ParserOf<T>();

        protected int Size => sources.Length;

        /// <summary>The value in a slot, and whether the line has one.</summary>
        protected bool TryParse(TextFields fields, int slot, int? reportedSlot, long line, out T value)
        {
            ReadOnlyMemory<char> text = fields[sources[slot]];
            value = default;
            if (_isReal && missingRealsAreNaN && text.Span.IsWhiteSpace())
                text = "?".AsMemory();
            if (text.IsEmpty)
                return false;
            if (_parse(text, out value))
                return true;
            // Only a real has a value that means that none was there.
            if (!_isReal)
            {
                throw Contracts.Except($"Could not parse value {text} in " +
                    (reportedSlot is int at ? $"slot {at} of column {name} in line {line}" : $"line {line}, column {name}"));
            }
            report.BadValue(name, reportedSlot);
            return true;
        }
    }

    private sealed class Scalar<T>(string name, int[] sources, bool missingRealsAreNaN, TextFileReport report)
        : Typed<T>(name, sources, missingRealsAreNaN, report)
    {
        private T _value;

        public override Delegate Getter => (ValueGetter<T>)((ref T value) => value = _value);

        public override void Read(TextFields fields, long line) => TryParse(fields, 0, null, line, out _value);
    }

    private sealed class Vector<T>(string name, int[] sources, bool missingRealsAreNaN, TextFileReport report)
        : Typed<T>(name, sources, missingRealsAreNaN, report)
    {
        private readonly List<int> _indices = [];
        private readonly List<T> _values = [];

        public override Delegate Getter => (ValueGetter<VBuffer<T>>)Get;

        public override void Read(TextFields fields, long line)
        {
            _indices.Clear();
            _values.Clear();
            for (int slot = 0; slot < Size; slot++)
            {
                if (!TryParse(fields, slot, slot, line, out T value))
                    continue;
                _indices.Add(slot);
                _values.Add(value);
            }
        }

        // Half full is dense; what the line lacks is default.
        private void Get(ref VBuffer<T> destination)
        {
            bool isSparse = _values.Count <= Size / 2;
            VBufferEditor<T> editor = VBufferEditor.Create(ref destination, Size, isSparse ? _values.Count : Size);
            if (!isSparse)
                editor.Values.Clear();
            for (int i = 0; i < _values.Count; i++)
            {
                editor.Values[isSparse ? i : _indices[i]] = _values[i];
                if (isSparse)
                    editor.Indices[i] = _indices[i];
            }
            destination = editor.Commit();
        }
    }
}
