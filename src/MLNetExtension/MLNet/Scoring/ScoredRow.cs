using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>A row with the added columns, computed when they are read, and once for each row of the input.</summary>
internal sealed class ScoredRow : DataViewRow
{
    private readonly DataViewRow _input;
    private readonly ColumnBinding _binding;
    private readonly RowScoring _scoring;
    private readonly bool[] _active;
    private readonly RowReader? _reader;
    private readonly RowValues _values;
    private RowContent? _content;
    private TokenExample? _example;
    private TokenScores? _scores;
    private string? _generated;

    // The input is disposed with this row; the columns that the active ones need are active in it.
    public ScoredRow(DataViewRow input, ColumnBinding binding, RowScoring scoring, bool[] active)
    {
        (_input, _binding, _scoring, _active) = (input, binding, scoring, active);
        _reader = binding.AnyOutput(active) ? new RowReader(input, binding.Inputs) : null;
        _values = new RowValues(Example, Scores, Generated);
    }

    public override DataViewSchema Schema => _binding.OutputSchema;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) =>
        _binding.Source(column.Index) is { } source ? _input.IsColumnActive(source) : _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (_binding.Source(column.Index) is { } source)
            return _input.GetGetter<TValue>(source);
        if (!_active[column.Index])
            throw new InvalidOperationException($"Column '{column.Name}' is not active in this row.");
        return _values.Getter<TValue>(_binding.Output(column.Index));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _input.Dispose();
        base.Dispose(disposing);
    }

    private TokenExample Example()
    {
        if (_example?.Position != _input.Position)
        {
            (_scores, _generated) = (null, null);
            _content = _reader!.Read(_input.Position);
            _example = _scoring.Encode(_content, _input.Position);
        }
        return _example!;
    }

    private TokenScores Scores()
    {
        var example = Example();
        return _scores ??= _scoring.Score([example])[0];
    }

    private string Generated()
    {
        Example();
        return _generated ??= _scoring.Continue([_scoring.EncodePromptOf(_content!, Position)])[0];
    }
}
