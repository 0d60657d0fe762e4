namespace Microsoft.ML.Data;

/// <summary>Which fields of a line a member holds: one, a range, or several.</summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property, AllowMultiple = false, Inherited = true)]
public sealed class LoadColumnAttribute : Attribute
{
    internal readonly int[] Fields;
    internal readonly bool IsVector;

    public LoadColumnAttribute(int fieldIndex)
        : this([fieldIndex])
    {
    }

    public LoadColumnAttribute(int start, int end)
        : this([.. Enumerable.Range(start, end - start + 1)]) => IsVector = true;

    public LoadColumnAttribute(int[] columnIndexes)
    {
        Runtime.Contracts.CheckParam(columnIndexes.All(index => index >= 0), "index", "Must be non-negative");
        Fields = columnIndexes;
        IsVector = columnIndexes.Length > 1;
    }
}
