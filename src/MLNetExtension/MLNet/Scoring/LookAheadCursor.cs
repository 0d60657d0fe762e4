using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Reads rows ahead, scores them together when the first of their losses is read, and returns them one by one, in order.</summary>
/// <remarks>It buffers each row's example, its position, a copy of every column that is passed on and, where generated text is read, what it is generated from. Texts are generated in smaller groups, see <see cref="GeneratedTexts"/>.</remarks>
internal sealed class LookAheadCursor : DataViewRowCursor
{
    // Few rows at first, for readers of a row or two; then twice as many each time, up to enough for full micro-batches of rows of similar length.
    private const int FirstRows = 8;
    internal const int MaximumRows = 256;
    private const int MaximumTokens = 1 << 16;

    private readonly DataViewRowCursor _input;
    private readonly ColumnBinding _binding;
    private readonly RowScoring _scoring;
    private readonly bool[] _active;
    private readonly RowReader _reader;
    private readonly BufferedColumn?[] _buffered;
    private readonly ValueGetter<DataViewRowId> _inputId;
    private readonly List<TokenExample> _examples = [];
    private readonly List<(long Batch, DataViewRowId Id)> _places = [];
    private readonly GeneratedTexts? _generated;
    private readonly RowValues _values;
    private IReadOnlyList<TokenScores>? _scores;
    private int _rowsAhead = FirstRows;
    private int _current = -1;

    // The input is disposed with this cursor; the columns that the active ones need are active in it, and can be buffered.
    public LookAheadCursor(DataViewRowCursor input, ColumnBinding binding, RowScoring scoring, bool[] active)
    {
        (_input, _binding, _scoring, _active) = (input, binding, scoring, active);
        _reader = new RowReader(input, binding.Inputs);
        _buffered = [.. binding.InputSchema.Select(column => active[column.Index] ? BufferedColumn.Create(input, column) : null)];
        _inputId = input.GetIdGetter();
        _generated = binding.IsActive(active, OutputKind.GeneratedText) ? new GeneratedTexts(scoring) : null;
        _values = new RowValues(() => _examples[Current()], Scores, () => _generated!.Read(Current()));
    }

    public override DataViewSchema Schema => _binding.OutputSchema;

    public override long Position => OnRow ? _examples[_current].Position : -1;

    public override long Batch => OnRow ? _places[_current].Batch : 0;

    private bool OnRow => _current >= 0 && _current < _examples.Count;

    public override bool MoveNext()
    {
        if (_current + 1 >= _examples.Count)
            ReadAhead();
        else
            _current++;
        return OnRow;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = _places[Current()].Id;

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new InvalidOperationException($"Column '{column.Name}' is not active in this cursor.");
        return column.Index < _buffered.Length && _buffered[column.Index] is { } buffered
            ? RowValues.Typed<TValue>(buffered.CreateGetter(Current), column.Name)
            : _values.Getter<TValue>(_binding.Output(column.Index));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _input.Dispose();
        base.Dispose(disposing);
    }

    private void ReadAhead()
    {
        _examples.Clear();
        _places.Clear();
        _generated?.Clear();
        foreach (var column in _buffered)
            column?.Clear();
        _scores = null;
        long tokens = 0;
        while (_examples.Count < _rowsAhead && tokens < MaximumTokens && _input.MoveNext())
        {
            AddRow();
            tokens += _examples[^1].Length;
        }
        _rowsAhead = Math.Min(_rowsAhead * 2, MaximumRows);
        _current = 0;
    }

    private void AddRow()
    {
        DataViewRowId id = default;
        _inputId(ref id);
        long position = _input.Position;
        var content = _reader.Read(position);
        _examples.Add(_scoring.Encode(content, position));
        _generated?.Add(content, position);
        _places.Add((_input.Batch, id));
        foreach (var column in _buffered)
            column?.Add();
    }

    private TokenScores Scores() => (_scores ??= _scoring.Score(_examples))[Current()];

    private int Current() => OnRow ? _current : throw new InvalidOperationException("The cursor is not on a row: call MoveNext first.");
}
