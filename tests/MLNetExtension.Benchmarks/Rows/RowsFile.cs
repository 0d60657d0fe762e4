using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Benchmarks.Measuring;

namespace MLNetExtension.Benchmarks.Rows;

/// <summary>A file of short rows of text, one a line, deleted when it is disposed.</summary>
internal sealed class RowsFile : IDisposable
{
    // The length of a row in chars, its line break included: 1,000,000 rows are 210 MB.
    private const int RowLength = 210;

    private static readonly string[] Words =
        ["the", "of", "value", "returns", "type", "method", "a", "collection", "specified", "which", "is", "null", "string", "for", "each", "element", "thread", "when", "an", "exception", "thrown", "by", "this", "instance"];

    private RowsFile(string path) => Path = path;

    public string Path { get; }

    public double Megabytes => new FileInfo(Path).Length / 1e6;

    /// <summary>Writes the file into the temporary folder.</summary>
    /// <param name="rows">How many rows, at least 1.</param>
    /// <param name="cancellation">Looked at about once a megabyte.</param>
    public static RowsFile Write(int rows, CancellationToken cancellation)
    {
        RowsFile file = new(System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"rows-{System.IO.Path.GetRandomFileName()}.txt"));
        try
        {
            using StreamWriter writer = new(file.Path, append: false, new UTF8Encoding(false), bufferSize: 1 << 20);
            Random random = new(1);
            StringBuilder row = new();
            for (int i = 0; i < rows; i++)
            {
                if (i % 4096 == 0)
                    cancellation.ThrowIfCancellationRequested();
                row.Clear().Append(i).Append(':');
                while (row.Length < RowLength - 1)
                    row.Append(' ').Append(Words[random.Next(Words.Length)]);
                row.Length = RowLength - 1;
                writer.Write(row.Append('\n'));
            }
            return file;
        }
        catch (Exception e)
        {
            file.Dispose();
            throw e is IOException ? new BenchmarkException($"The rows cannot be written: {e.Message}") : e;
        }
    }

    /// <summary>Opens the rows as users do; nothing is read before a cursor asks for it.</summary>
    public static IDataView Open(MLContext mlContext, string path) => mlContext.Data.LoadFromTextFile(
        path, new TextLoader.Options { Columns = [new("Text", DataKind.String, 0)], Separators = ['\t'], AllowQuoting = false });

    public void Dispose() => File.Delete(Path);
}
