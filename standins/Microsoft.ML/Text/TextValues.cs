using System.Globalization;
using System.Numerics;

namespace Microsoft.ML.Data;

/// <summary>False where the text is none of the type's values.</summary>
internal delegate bool TextParser<T>(ReadOnlyMemory<char> text, out T value);

/// <summary>The text form of each column type, as text files hold it.</summary>
internal static class TextValues
{
    private static readonly string[] _missing = ["?", "NaN", "NA", "N/A"];
    private static readonly string[] _true = ["1", "T", "True", "Y", "Yes", "+", "+1"];
    private static readonly string[] _false = ["0", "F", "False", "N", "No", "-", "-1", ""];

    private static readonly Dictionary<Type, (string Kind, Delegate Parser)> _kinds = new()
    {
        [typeof(sbyte)] = ("I1", (TextParser<sbyte>)TryParseInteger),
        [typeof(byte)] = ("U1", (TextParser<byte>)TryParseInteger),
        [typeof(short)] = ("I2", (TextParser<short>)TryParseInteger),
        [typeof(ushort)] = ("U2", (TextParser<ushort>)TryParseInteger),
        [typeof(int)] = ("I4", (TextParser<int>)TryParseInteger),
        [typeof(uint)] = ("U4", (TextParser<uint>)TryParseInteger),
        [typeof(long)] = ("I8", (TextParser<long>)TryParseInteger),
        [typeof(ulong)] = ("U8", (TextParser<ulong>)TryParseInteger),
        [typeof(float)] = ("R4", (TextParser<float>)TryParseReal),
        [typeof(double)] = ("R8", (TextParser<double>)TryParseReal),
        [typeof(bool)] = ("BL", (TextParser<bool>)TryParseBoolean),
        [typeof(ReadOnlyMemory<char>)] = ("TX", (TextParser<ReadOnlyMemory<char>>)TryParseText),
    };

    public static bool CanParse(Type type) => _kinds.ContainsKey(type);

    /// <summary>The name of the type in the head of a saved file.</summary>
    public static string KindOf(Type type) => _kinds[type].Kind;

    public static TextParser<T> ParserOf<T>() => (TextParser<T>)_kinds[typeof(T)].Parser;

    public static bool IsReal(Type type) => type == typeof(float) || type == typeof(double);

    public static string Format<T>(T value) => value switch
    {
        float.NaN or double.NaN => "?",
        double real => real.ToString("G17", CultureInfo.InvariantCulture),
        bool flag => flag ? "1" : "0",
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };

    private static bool TryParseInteger<T>(ReadOnlyMemory<char> text, out T value)
        where T : INumber<T>
    {
        value = default;
        return text.IsEmpty || (text.Span[0] != '+' && T.TryParse(text.Span, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value));
    }

    private static bool TryParseReal<T>(ReadOnlyMemory<char> text, out T value)
        where T : IFloatingPointIeee754<T>
    {
        value = default;
        if (text.Span.IsWhiteSpace() || T.TryParse(text.Span, NumberStyles.Float, CultureInfo.InvariantCulture, out value))
            return true;
        value = T.NaN;
        return _missing.Contains(text.ToString(), StringComparer.OrdinalIgnoreCase);
    }

    private static bool TryParseBoolean(ReadOnlyMemory<char> text, out bool value)
    {
        value = _true.Contains(text.ToString(), StringComparer.OrdinalIgnoreCase);
        return value || _false.Contains(text.ToString(), StringComparer.OrdinalIgnoreCase);
    }

    private static bool TryParseText(ReadOnlyMemory<char> text, out ReadOnlyMemory<char> value)
    {
        value = text;
        return true;
    }
}
