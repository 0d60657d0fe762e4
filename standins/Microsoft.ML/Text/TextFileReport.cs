using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Tells of the first values and lines of a text file that cannot be read, and counts them all.</summary>
internal sealed class TextFileReport(IChannel channel, string path) : IDisposable
{
    private const int Shown = 10;

    private long _badValues;
    private long _formatErrors;
    private bool _disposed;

    public long Rows { get; set; }

    public long Line { get; set; }

    public void BadValue(string column, int? slot)
    {
        if (++_badValues > Shown)
            return;
        channel.Info(MessageSensitivity.Schema, $"  Bad value at line {Line} in column {column}{(slot is int at ? $" at slot {at}" : "")}");
        if (_badValues == Shown)
            channel.Info(MessageSensitivity.None, "  Suppressing further bad value messages");
    }

    public void FormatError(int from, int to, string message)
    {
        if (++_formatErrors > Shown)
            return;
        channel.Warning(MessageSensitivity.All, $"Format error at {path}({Line},{from + 1})-({Line},{to + 1}): {message}");
        if (_formatErrors == Shown)
            channel.Warning(MessageSensitivity.None, "Suppressing further format error messages");
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_badValues + _formatErrors > 0)
        {
            channel.Info(MessageSensitivity.None,
                $"Processed {Rows} rows with {_badValues} bad values and {_formatErrors} format errors");
        }
        channel.Dispose();
    }
}
