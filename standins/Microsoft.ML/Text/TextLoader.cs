using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Reads text files whose columns are a class's members.</summary>
public sealed class TextLoader
{
    private TextLoader()
    {
    }

    internal static IDataView Load(IHostEnvironment env, string path, Options options, Type rowType)
    {
        IHost host = env.Register(nameof(TextLoader));
        options ??= new Options();
        host.CheckUserArg(!(options.MaxRows < 0), nameof(Options.MaxRows));
        foreach (char separator in options.Separators)
        {
            host.CheckUserArg((separator >= ' ' || separator == '\t') && separator != '"' && !char.IsAsciiDigit(separator), "Separator",
                $"Illegal separator: '{separator}'");
            host.CheckUserArg(separator != ':' || !options.AllowSparse, "Separator", "When the separator is colon, turn off allowSparse");
        }
        DataViewSchema.Builder schema = new();
        List<int[]> fields = [];
        foreach (MemberInfo member in MembersOf(host, rowType))
        {
            LoadColumnAttribute source = member.GetCustomAttribute<LoadColumnAttribute>() ?? throw host.Except(
                $"{(member is FieldInfo ? "Field" : "Property")} '{member.Name}' is missing the {nameof(LoadColumnAttribute)} attribute");
            schema.AddColumn(member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name, TypeOf(member, source));
            fields.Add(source.Fields);
        }
        return new TextFileView(host, path, options, schema.ToSchema(), [.. fields]);
    }

    // Fields first, then properties: the order of the columns is part of the genuine package's behaviour.
    private static MemberInfo[] MembersOf(IHost host, Type rowType)
    {
        MemberInfo[] members =
        [
            .. rowType.GetFields(BindingFlags.Public | BindingFlags.Instance),
            .. rowType.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetGetMethod() != null && p.GetIndexParameters().Length == 0),
        ];
        return members.Length > 0 ? members
            : throw host.ExceptParam("TInput", "Should define at least one public, readable field or property in TInput.");
    }

    private static DataViewType TypeOf(MemberInfo member, LoadColumnAttribute source)
    {
        Type type = (member as FieldInfo)?.FieldType ?? ((PropertyInfo)member).PropertyType;
        Type item = type.IsArray ? type.GetElementType() : type;
        item = item == typeof(string) ? typeof(ReadOnlyMemory<char>) : item;
        if (!TextValues.CanParse(item))
            throw Contracts.Except($"{(member is FieldInfo ? "Field" : "Property")} {member.Name} is of unsupported type.");
        PrimitiveDataViewType itemType = ColumnTypes.PrimitiveFor(item);
        return source.IsVector ? new VectorDataViewType(itemType, source.Fields.Length) : itemType;
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
        public bool MissingRealsAsNaNs;
    }
}
