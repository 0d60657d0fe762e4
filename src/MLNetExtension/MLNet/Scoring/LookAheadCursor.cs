using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Reads a window of rows ahead, scores them together when the first of their losses is asked for, and gives them out one by one, in order.</summary>
/// <remarks>What the window holds of a row: its example, its position, a copy of every column that is passed on and, where generated text is asked for, what it
/// is generated from. Texts are generated one by one, as they are read.</remarks>
internal sealed class LookAheadCursor : DataViewRowCursor
{
    // The first window is small, for whoever wants a row or two; each next one is twice as large, up to enough rows for full
    // micro-batches of rows of like length.
    private const int FirstWindowRows = 8;
    private const int MaximumWindowRows = 256;
    private const int MaximumWindowTokens = 1 << 16;

    private readonly DataViewRowCursor _input;
    private readonly ColumnBinding _binding;
    private readonly RowScoring _scoring;
    private readonly bool[] _active;
    private readonly RowReader _reader;
    private readonly HeldColumn?[] _held;
    private readonly ValueGetter<DataViewRowId> _inputId;
    private readonly List<TokenExample> _examples = [];
    private readonly List<(long Batch, DataViewRowId Id)> _places = [];
    private readonly List<Lazy<string>>? _generated;
    private readonly RowValues _values;
    private IReadOnlyList<TokenScores>? _scores;
    private int _windowRows = FirstWindowRows;
    private int _current = -1;

    // The input is disposed with this cursor; the columns that the active ones need are active in it, and can be held.
    public LookAheadCursor(DataViewRowCursor input, ColumnBinding binding, RowScoring scoring, bool[] active)
    {
        (_input, _binding, _scoring, _active) = (input, binding, scoring, active);
        _reader = new RowReader(input, binding.Inputs);
        _held = [.. binding.InputSchema.Select(column => active[column.Index] ? HeldColumn.Of(input, column) : null)];
        _inputId = input.GetIdGetter();
        _generated = binding.IsActive(active, OutputKind.GeneratedText) ? [] : null;
        _values = new RowValues(() => _examples[Current()], Scores, () => _generated![Current()].Value);
    }

    public override DataViewSchema Schema => _binding.OutputSchema;

    public override long Position => OnRow ? _examples[_current].Position : -1;

    public override long Batch => OnRow ? _places[_current].Batch : 0;

    private bool OnRow => _current >= 0 && _current < _examples.Count;

    public override bool MoveNext()
    {
        if (_current + 1 >= _examples.Count)
            ReadWindow();
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
        return column.Index < _held.Length && _held[column.Index] is { } held
            ? RowValues.Typed<TValue>(held.Getter(Current), column.Name)
            : _values.Getter<TValue>(_binding.Output(column.Index));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _input.Dispose();
        base.Dispose(disposing);
    }

    private void ReadWindow()
    {
        _examples.Clear();
        _places.Clear();
        _generated?.Clear();
        foreach (var column in _held)
            column?.Clear();
        _scores = null;
        long tokens = 0;
        while (_examples.Count < _windowRows && tokens < MaximumWindowTokens)
        {
            if (!_input.MoveNext())
                break;
            AddRow();
            tokens += _examples[^1].Length;
        }
        _windowRows = Math.Min(_windowRows * 2, MaximumWindowRows);
        _current = 0;
    }

    private void AddRow()
    {
        DataViewRowId id = default;
        _inputId(ref id);
        long position = _input.Position;
        var content = _reader.Read(position);
        _examples.Add(_scoring.Encode(content, position));
        _generated?.Add(new Lazy<string>(() => _scoring.Continue(content, position), LazyThreadSafetyMode.None));
        _places.Add((_input.Batch, id));
        foreach (var column in _held)
            column?.Hold();
    }

    private TokenScores Scores() => (_scores ??= _scoring.Score(_examples))[Current()];

    private int Current() => OnRow ? _current : throw new InvalidOperationException("The cursor is not on a row: call MoveNext first.");
}
