using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>One column of a text file: reading it from a line, and its value there.</summary>
internal sealed record TextColumn(Action<TextFields, long> Read, Delegate Getter)
{
    public static TextColumn Create(DataViewSchema.Column column, int[] fields, bool missingRealsAreNaN, Action<string> reportBadValue)
    {
        VectorDataViewType vector = column.Type as VectorDataViewType;
        return (TextColumn)Generics.Call(Create<int>, vector?.ItemType.RawType ?? column.Type.RawType, column.Name, fields, vector != null,
            missingRealsAreNaN, reportBadValue);
    }

    private static TextColumn Create<T>(string name, int[] fields, bool isVector, bool missingRealsAreNaN, Action<string> reportBadValue)
    {
        T[] values = new T[fields.Length];
        TextParser<T> parser = TextValues.ParserOf<T>();
        bool isReal = TextValues.IsReal(typeof(T));
        return new TextColumn(Read, isVector
            ? (ValueGetter<VBuffer<T>>)((ref value) => VBuffer<T>.Copy(values, 0, ref value, values.Length))
            : (ValueGetter<T>)((ref value) => value = values[0]));

        void Read(TextFields line, long number)
        {
            for (int slot = 0; slot < fields.Length; slot++)
            {
                ReadOnlyMemory<char> text = line[fields[slot]];
                if (isReal && missingRealsAreNaN && text.Span.IsWhiteSpace())
                    text = "?".AsMemory();
                if (parser(text, out values[slot]))
                    continue;
                // Only a real has a value that means that none was there.
                if (!isReal)
                {
                    throw Contracts.Except($"Could not parse value {text} in " +
                        (isVector ? $"slot {slot} of column {name} in line {number}" : $"line {number}, column {name}"));
                }
                reportBadValue(isVector ? $"{name} at slot {slot}" : name);
            }
        }
    }
}
