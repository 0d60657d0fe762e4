using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Archive;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>
/// The annotations that ML.NET's trainers put on the columns they add: which belong together (<c>ScoreColumnSetId</c>), the kind of prediction
/// (<c>ScoreColumnKind</c>) and what each holds (<c>ScoreValueKind</c>). The names are those of a class that ML.NET keeps internal.
/// </summary>
internal static class ScoreAnnotations
{
    public const string ColumnSetId = "ScoreColumnSetId";
    public const string ColumnKind = "ScoreColumnKind";
    public const string ValueKind = "ScoreValueKind";

    private const string CausalLanguageModeling = "CausalLanguageModeling";

    /// <summary>The annotations as a schema shape promises them.</summary>
    public static SchemaShape Shape { get; } = new(
    [
        ModelArchiveBridge.Column(ColumnSetId, SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true, annotations: null),
        ModelArchiveBridge.Column(ColumnKind, SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, isKey: false, annotations: null),
        ModelArchiveBridge.Column(ValueKind, SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, isKey: false, annotations: null),
    ]);

    /// <summary>Creates the annotations of a column.</summary>
    /// <param name="set">The number of the set of columns that one model adds.</param>
    /// <param name="column">The column. ML.NET's value kinds of a loss and a prediction are <c>Score</c> and <c>PredictedLabel</c>; the others have their own names.</param>
    public static DataViewSchema.Annotations Create(uint set, OutputColumn column)
    {
        string value = column.Kind switch
        {
            OutputKind.LossSum => "Score",
            OutputKind.GeneratedText => "PredictedLabel",
            _ => column.Kind.ToString(),
        };
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(ColumnSetId, new KeyDataViewType(typeof(uint), int.MaxValue), (ref uint id) => id = set);
        builder.Add(ColumnKind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> text) => text = CausalLanguageModeling.AsMemory());
        builder.Add(ValueKind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> text) => text = value.AsMemory());
        return builder.ToAnnotations();
    }

    /// <summary>Finds a number that no set of columns has yet: a pipeline may hold several models.</summary>
    public static uint NextSet(DataViewSchema schema)
    {
        uint highest = 0;
        foreach (var annotations in schema.Select(column => column.Annotations))
        {
            if (annotations.Schema.GetColumnOrNull(ColumnSetId)?.Type is not KeyDataViewType { RawType: var type } || type != typeof(uint))
                continue;
            uint set = 0;
            annotations.GetValue(ColumnSetId, ref set);
            highest = Math.Max(highest, set);
        }
        return highest + 1;
    }
}
