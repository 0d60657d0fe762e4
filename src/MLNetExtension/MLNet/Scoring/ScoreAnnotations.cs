using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Archive;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>
/// What ML.NET's own trainers say of the columns they add: which belong together (<c>ScoreColumnSetId</c>), what kind of prediction they are
/// (<c>ScoreColumnKind</c>) and what each holds (<c>ScoreValueKind</c>). The names are ML.NET's, the class that holds them is internal.
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

    /// <summary>The annotations of one column.</summary>
    /// <param name="set">The number of the set of columns that one model adds.</param>
    /// <param name="column">ML.NET's words for a loss and for a prediction are <c>Score</c> and <c>PredictedLabel</c>; others go by what they are.</param>
    public static DataViewSchema.Annotations Of(uint set, OutputColumn column)
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

    /// <summary>A number that no set of columns has yet: models may follow one another in a pipeline.</summary>
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
