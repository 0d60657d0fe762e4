using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A member of a row's class as a column.</summary>
internal sealed record MemberColumn(string Name, DataViewType Type, MemberInfo Member, DataViewSchema.Annotations Annotations)
{
    public Type MemberType => TypeOf(Member);
    public static MemberColumn[] Create(Type userType, SchemaDefinition definition) => [.. definition.Select(c => Create(userType, c))];

    public static void GetVectorAndItemType(MemberInfo member, out bool isVector, out Type itemType)
    {
        Type type = TypeOf(member);
        isVector = type.IsArray || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>));
        itemType = type.IsArray ? type.GetElementType() : isVector ? type.GetGenericArguments()[0] : type;
        if (itemType == typeof(string))
            itemType = typeof(ReadOnlyMemory<char>);
        if (!ColumnTypes.Knows(itemType))
        {
            throw Contracts.ExceptParam("rawType", $"Could not determine an IDataView type and registered custom types for member {member.Name}");
        }
    }

    /// <summary>A <see cref="Func{TRow, TMember}"/> that reads the member.</summary>
    public Delegate CompileReader()
    {
        ParameterExpression row = Expression.Parameter(Member.ReflectedType);
        return Expression.Lambda(Expression.MakeMemberAccess(row, Member), row).Compile();
    }

    /// <summary>An <see cref="Action{TRow, TMember}"/> that writes the member.</summary>
    public Delegate CompileWriter()
    {
        ParameterExpression row = Expression.Parameter(Member.ReflectedType);
        ParameterExpression value = Expression.Parameter(MemberType);
        return Expression.Lambda(typeof(Action<,>).MakeGenericType(row.Type, value.Type), Expression.Assign(Expression.MakeMemberAccess(row, Member), value),
            row, value).Compile();
    }

    private static Type TypeOf(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    private static MemberColumn Create(Type userType, SchemaDefinition.Column column)
    {
        MemberInfo member = (MemberInfo)userType.GetField(column.MemberName) ?? userType.GetProperty(column.MemberName)
            ?? throw Contracts.ExceptParam("userSchemaDefinition", $"No field or property with name '{column.MemberName}' found in type '{userType.FullName}'");
        GetVectorAndItemType(member, out bool isVector, out Type item);
        string name = string.IsNullOrEmpty(column.ColumnName) ? column.MemberName : column.ColumnName;
        VectorDataViewType vector = column.ColumnType as VectorDataViewType;
        DataViewType type = column.ColumnType
            ?? (isVector ? new VectorDataViewType(ColumnTypes.PrimitiveFor(item)) : ColumnTypes.PrimitiveFor(item));
        if (column.ColumnType != null && isVector != (vector != null))
        {
            throw Contracts.ExceptParam("userSchemaDefinition", $"Column '{name}' is supposed to be {(isVector ? "scalar" : "vector")}, but type of " +
                $"associated field '{column.MemberName}' is {(isVector ? "vector" : "scalar")}");
        }
        Type expected = (vector?.ItemType ?? type).RawType;
        if (column.ColumnType != null && expected != item)
        {
            throw Contracts.ExceptParam("userSchemaDefinition",
                $"Column '{name}' is supposed to have item type {expected}, but associated field has type {item}");
        }
        return new MemberColumn(name, type, member, column.Annotations);
    }
}

/// <summary>The members of a row's class as columns of one schema, with what reads them compiled once.</summary>
internal sealed class MemberSchema<TRow>
{
    public MemberSchema(SchemaDefinition definition)
    {
        Columns = MemberColumn.Create(typeof(TRow), definition ?? SchemaDefinition.Create(typeof(TRow), SchemaDefinition.Direction.Read));
        Readers = [.. Columns.Select(c => c.CompileReader())];
        DataViewSchema.Builder builder = new();
        builder.AddColumns(Columns.Select(c => new DataViewSchema.DetachedColumn(c.Name, c.Type, c.Annotations)));
        Schema = builder.ToSchema();
    }

    public MemberColumn[] Columns { get; }
    public Delegate[] Readers { get; }
    public DataViewSchema Schema { get; }
}
