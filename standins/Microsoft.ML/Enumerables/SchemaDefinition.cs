using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Which column each member of a row's class is, and of which type, where the attributes do not say it.</summary>
public sealed class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition()
    {
    }

    [Flags]
    public enum Direction
    {
        Read = 1,
        Write = 2,
        Both = Read | Write,
    }

    public Column this[string columnName] => this.FirstOrDefault(c => c.ColumnName == columnName);

    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        Contracts.CheckValue(userType, nameof(userType));
        SchemaDefinition columns = [];
        foreach (MemberInfo member in MembersOf(userType, direction))
        {
            string name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name;
            // The order of members is not defined, so neither would be which of two hides the other.
            if (columns[name] != null)
                throw Contracts.ExceptParam(nameof(userType), $"Duplicate column name '{name}' detected, this is disallowed");
            columns.Add(new Column(member.Name, TypeOf(member), name));
        }
        return columns;
    }

    // Fields before properties; constants, channels and what is marked [NoColumn] are no columns.
    private static IEnumerable<MemberInfo> MembersOf(Type type, Direction direction)
    {
        const BindingFlags Public = BindingFlags.Public | BindingFlags.Instance;
        IEnumerable<MemberInfo> fields = type.GetFields(Public).Where(f => !f.IsLiteral && f.FieldType != typeof(IChannel));
        IEnumerable<MemberInfo> properties = type.GetProperties(Public).Where(p => p.GetIndexParameters().Length == 0 && p.PropertyType != typeof(IChannel) &&
            ((direction.HasFlag(Direction.Read) && p.GetGetMethod() != null) || (direction.HasFlag(Direction.Write) && p.GetSetMethod() != null)));
        return fields.Concat(properties).Where(m => m.GetCustomAttribute<NoColumnAttribute>() == null);
    }

    private static DataViewType TypeOf(MemberInfo member)
    {
        MemberColumn.GetVectorAndItemType(member, out bool isVector, out Type item);
        PrimitiveDataViewType itemType = ColumnTypes.PrimitiveFor(item);
        if (member.GetCustomAttribute<KeyTypeAttribute>() is { } key)
        {
            if (!KeyDataViewType.IsValidDataType(item))
            {
                throw Contracts.ExceptParam("userType",
                    $"Member {member.Name} marked with KeyType attribute, but does not appear to be a valid kind of data for a key type");
            }
            itemType = new KeyDataViewType(item, key.Count);
        }
        VectorTypeAttribute vector = member.GetCustomAttribute<VectorTypeAttribute>();
        if (vector != null && !isVector)
        {
            throw Contracts.ExceptParam("userType",
                $"Member {member.Name} marked with VectorTypeAttribute, but does not appear to be a vector type");
        }
        return !isVector ? itemType : vector is { Dims.Length: > 0 } ? new VectorDataViewType(itemType, vector.Dims) : new VectorDataViewType(itemType, 0);
    }

    public sealed class Column
    {
        internal Column(string memberName, DataViewType columnType, string columnName)
        {
            MemberName = memberName;
            ColumnType = columnType;
            ColumnName = columnName;
        }

        public string MemberName { get; }
        public string ColumnName { get; set; }
        public DataViewType ColumnType { get; set; }
        public DataViewSchema.Annotations Annotations { get; internal set; } = DataViewSchema.Annotations.Empty;
    }
}
