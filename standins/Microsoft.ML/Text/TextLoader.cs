using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Reads text files whose columns are a class's members.</summary>
public sealed class TextLoader
{
    private const string Digits = "0123456789";

    private readonly IHost _host;
    private readonly Options _options;
    private readonly (string Name, DataViewType Type, int[] Fields)[] _columns;

    internal TextLoader(IHostEnvironment env, Options options, Type rowType)
    {
        _host = env.Register(nameof(TextLoader));
        _options = options ?? new Options();
        _host.CheckUserArg(!(_options.MaxRows < 0), nameof(Options.MaxRows));
        foreach (char separator in _options.Separators)
        {
            _host.CheckUserArg((separator >= ' ' || separator == '\t') && separator != '"' && !Digits.Contains(separator), "Separator",
                $"Illegal separator: '{separator}'");
            _host.CheckUserArg(separator != ':' || !_options.AllowSparse, "Separator", "When the separator is colon, turn off allowSparse");
        }
        _host.CheckUserArg(!_options.Separators.Contains(_options.EscapeChar), nameof(Options.EscapeChar),
            $"EscapeChar '{_options.EscapeChar}' can't be used both as EscapeChar and separator");
        _columns = [.. MembersOf(rowType).Select(ColumnOf)];
    }

    internal IDataView Load(string path)
    {
        DataViewSchema.Builder schema = new();
        foreach ((string name, DataViewType type, _) in _columns)
            schema.AddColumn(name, type);
        return new TextFileView(_host, path, _options, schema.ToSchema(), [.. _columns.Select(column => column.Fields)]);
    }

    // Fields first, then properties: the order of the columns is part of the genuine package's behaviour.
    private MemberInfo[] MembersOf(Type rowType)
    {
        const BindingFlags Instance = BindingFlags.Public | BindingFlags.Instance;
        MemberInfo[] members =
        [
            .. rowType.GetFields(Instance),
            .. rowType.GetProperties(Instance).Where(property => property.GetGetMethod() != null && property.GetIndexParameters().Length == 0),
        ];
        return members.Length > 0 ? members
            : throw _host.ExceptParam("TInput", "Should define at least one public, readable field or property in TInput.");
    }

    private (string Name, DataViewType Type, int[] Fields) ColumnOf(MemberInfo member)
    {
        bool isField = member is FieldInfo;
        List<Range> sources = member.GetCustomAttribute<LoadColumnAttribute>()?.Sources ?? throw _host.Except(
            $"{(isField ? "Field" : "Property")} '{member.Name}' is missing the {nameof(LoadColumnAttribute)} attribute");
        Type type = isField ? ((FieldInfo)member).FieldType : ((PropertyInfo)member).PropertyType;
        Type item = type.IsArray ? type.GetElementType() : type;
        if (item == typeof(string))
            item = typeof(ReadOnlyMemory<char>);
        if (!TextValues.CanParse(item))
            throw Contracts.Except($"{(isField ? "Field" : "Property")} {member.Name} is of unsupported type.");
        int[] fields = [.. sources.SelectMany(range => Enumerable.Range(range.Min, range.Max.Value - range.Min + 1))];
        PrimitiveDataViewType itemType = ColumnTypes.PrimitiveFor(item);
        bool isVector = fields.Length > 1 || sources[0].ForceVector;
        return (member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name, isVector ? new VectorDataViewType(itemType, fields.Length) : itemType, fields);
    }

    public class Options
    {
        public bool AllowQuoting;
        public bool AllowSparse;
        public char[] Separators = ['\t'];
        public bool TrimWhitespace;
        public bool HasHeader;
        public bool ReadMultilines;
        public long? MaxRows;
        public char EscapeChar = '"';
        public bool MissingRealsAsNaNs;
    }

    public sealed class Range
    {
        public int Min;
        public int? Max;
        public bool ForceVector;

        public Range()
        {
        }

        public Range(int index)
        {
            Contracts.CheckParam(index >= 0, nameof(index), "Must be non-negative");
            Min = index;
            Max = index;
        }

        public Range(int min, int? max)
        {
            Contracts.CheckParam(min >= 0, nameof(min), "Must be non-negative");
            Contracts.CheckParam(!(max < min), nameof(max), "If specified, must be greater than or equal to min");
            Min = min;
            Max = max;
            ForceVector = true;
        }
    }
}
