using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A text file as a view: read anew by every cursor, and only the active columns are parsed.</summary>
internal sealed class TextFileView(IHost host, string path, TextLoader.Options options, DataViewSchema schema, int[][] fieldsOf) : IDataView
{
    public bool CanShuffle => false;

    public DataViewSchema Schema => schema;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, schema);
        int needed = fieldsOf.Where((_, i) => active[i]).SelectMany(fields => fields).DefaultIfEmpty().Max() + 1;
        return new Cursor(host, path, options, schema, needed,
            report => [.. active.Select((isActive, i) => isActive ? TextColumn.Create(schema[i], fieldsOf[i], options.MissingRealsAsNaNs, report) : null)]);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor : RootCursorBase
    {
        private const int ReportsShown = 10;

        private readonly string _path;
        private readonly IChannel _report;
        private readonly TextFields _fields;
        private readonly TextColumn[] _columns;
        private readonly IEnumerator<(long Line, string Text)> _lines;
        private readonly bool _wraps;
        private long _rows;
        private long _badValues;
        private long _formatErrors;
        private bool _disposed;

        public Cursor(IHost host, string path, TextLoader.Options options, DataViewSchema schema, int needed, Func<Action<string>, TextColumn[]> columns)
            : base(host)
        {
            _path = path;
            _report = host.Start("ParseStats");
            _fields = new TextFields(options, needed, FormatError);
            _columns = columns(BadValue);
            _lines = TextLines.Read(path, options).GetEnumerator();
            // The genuine package parses on threads of its own, unless there is too little to do, and wraps whatever stops them.
            _wraps = !(options.MaxRows < 128);
            Schema = schema;
        }

        public override DataViewSchema Schema { get; }

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
            return (ref value) =>
            {
                Ch.Check(IsGood);
                getter(ref value);
            };
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref id) =>
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
                _rows++;
                _fields.Split(_lines.Current.Text);
                foreach (TextColumn column in _columns)
                    column?.Read(_fields, _lines.Current.Line);
                return true;
            }
            catch (Exception e) when (_wraps)
            {
                throw Ch.ExceptDecode($"Parsing failed with an exception: {e.Message}", e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_disposed)
            {
                _disposed = true;
                _lines.Dispose();
                if (_badValues + _formatErrors > 0)
                    _report.Info(MessageSensitivity.None, $"Processed {_rows} rows with {_badValues} bad values and {_formatErrors} format errors");
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

        private void BadValue(string where)
        {
            if (_badValues++ < ReportsShown)
                _report.Info(MessageSensitivity.Schema, $"  Bad value at line {_lines.Current.Line} in column {where}");
        }

        private void FormatError(int from, int to, string message)
        {
            if (_formatErrors++ < ReportsShown)
                _report.Warning(MessageSensitivity.All, $"Format error at {_path}({_lines.Current.Line},{from + 1})-({_lines.Current.Line},{to + 1}): {message}");
        }
    }
}
