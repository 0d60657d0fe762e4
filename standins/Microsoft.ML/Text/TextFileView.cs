using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A text file as a view: read anew by every cursor, and only the active columns are parsed.</summary>
internal sealed class TextFileView : IDataView
{
    private readonly IHost _host;
    private readonly string _path;
    private readonly TextLoader.Options _options;
    private readonly int[][] _fieldsOf;

    public TextFileView(IHost host, string path, TextLoader.Options options, DataViewSchema schema, int[][] fieldsOf)
    {
        _host = host;
        _path = path;
        _options = options;
        _fieldsOf = fieldsOf;
        Schema = schema;
    }

    public bool CanShuffle => false;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        new Cursor(this, RowCursorUtils.ToFlags(columnsNeeded, Schema));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor : RootCursorBase
    {
        private readonly TextFileView _view;
        private readonly TextFileReport _report;
        private readonly TextFields _fields;
        private readonly TextColumn[] _columns;
        private readonly IEnumerator<(long Line, string Text)> _lines;

        public Cursor(TextFileView view, bool[] active)
            : base(view._host)
        {
            _view = view;
            _report = new TextFileReport(view._host.Start("ParseStats"), view._path);
            _columns = new TextColumn[active.Length];
            int needed = 0;
            for (int i = 0; i < active.Length; i++)
            {
                if (!active[i])
                    continue;
                _columns[i] = TextColumn.Create(view.Schema[i], view._fieldsOf[i], view._options.MissingRealsAsNaNs, _report);
                needed = Math.Max(needed, view._fieldsOf[i].Max() + 1);
            }
            _fields = new TextFields(view._options, needed, _report.FormatError);
            _lines = TextLines.Read(view._path, view._options).GetEnumerator();
        }

        public override DataViewSchema Schema => _view.Schema;

        public override long Batch => 0;

        public override bool IsColumnActive(DataViewSchema.Column column)
        {
            Ch.Check(column.Index < _columns.Length);
            return _columns[column.Index] != null;
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.Check(IsColumnActive(column));
            ValueGetter<TValue> getter = RowCursorUtils.Cast<TValue>(_columns[column.Index].Getter);
            return (ref TValue value) =>
            {
                Ch.Check(IsGood);
                getter(ref value);
            };
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) =>
        {
            Ch.Check(IsGood, RowCursorUtils.FetchValueStateError);
            id = new DataViewRowId((ulong)Position, 0);
        };

        protected override bool MoveNextCore()
        {
            try
            {
                if (!ReadLine())
                    return false;
                _report.Line = _lines.Current.Line;
                _report.Rows++;
                _fields.Split(_lines.Current.Text);
                foreach (TextColumn column in _columns)
                    column?.Read(_fields, _report.Line);
                return true;
            }
            catch (Exception e) when (!(_view._options.MaxRows < 128))
            {
                // The genuine package parses on threads of its own, unless there is too little to do, and wraps whatever stops them.
                throw Ch.ExceptDecode($"Parsing failed with an exception: {e.Message}", e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _lines.Dispose();
                _report.Dispose();
            }
            base.Dispose(disposing);
        }

        private bool ReadLine()
        {
            try
            {
                return _lines.MoveNext();
            }
            catch (Exception e)
            {
                throw Ch.ExceptDecode("Stream reading encountered exception", e);
            }
        }
    }
}
