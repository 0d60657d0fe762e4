using Microsoft.ML;
using MLNetExtension.MLNet.Scoring;

namespace MLNetExtension.MLNet.Schema;

/// <summary>How the columns of an input schema become those of the output: all are passed on under their index, and the added ones follow.</summary>
internal sealed class ColumnBinding
{
    private readonly InputColumns _inputs;
    private readonly IReadOnlyList<OutputColumn> _outputs;

    /// <exception cref="ArgumentOutOfRangeException">The input schema lacks a column that rows are read from.</exception>
    public ColumnBinding(DataViewSchema inputSchema, InputColumns inputs, IReadOnlyList<OutputColumn> outputs)
    {
        Schema.InputSchema.Check(inputSchema, inputs);
        (InputSchema, _inputs, _outputs) = (inputSchema, inputs, outputs);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        uint set = ScoreAnnotations.NextSet(inputSchema);
        foreach (var output in outputs)
            builder.AddColumn(output.Name, output.Type, ScoreAnnotations.Create(set, output));
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    public InputColumns Inputs => _inputs;

    /// <summary>The input column of this index in the output; null for an added one.</summary>
    public DataViewSchema.Column? Source(int index) => index < InputSchema.Count ? InputSchema[index] : null;

    /// <summary>The added column of this index in the output.</summary>
    public OutputColumn Output(int index) => _outputs[index - InputSchema.Count];

    /// <summary>Which columns of the output are asked for, by index.</summary>
    public bool[] Active(IEnumerable<DataViewSchema.Column> columns)
    {
        var active = new bool[OutputSchema.Count];
        foreach (var column in columns)
            active[column.Index] = true;
        return active;
    }

    public bool AnyOutput(bool[] active) => active.AsSpan(InputSchema.Count).Contains(true);

    public bool IsActive(bool[] active, OutputKind kind) => _outputs.Index().Any(output => output.Item.Kind == kind && active[InputSchema.Count + output.Index]);

    /// <summary>The input columns that are passed on.</summary>
    public IReadOnlyList<DataViewSchema.Column> Passed(bool[] active) => [.. InputSchema.Where(column => active[column.Index])];

    /// <summary>The input columns that are needed: those passed on and, where an added column is asked for, those that rows are read from.</summary>
    public IReadOnlyList<DataViewSchema.Column> Needed(bool[] active)
    {
        var read = AnyOutput(active) ? _inputs.FindIn(InputSchema).Select(column => column.Index).ToHashSet() : [];
        return [.. InputSchema.Where(column => active[column.Index] || read.Contains(column.Index))];
    }
}
