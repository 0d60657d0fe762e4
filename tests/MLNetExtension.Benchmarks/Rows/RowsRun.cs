using System.Diagnostics;
using Microsoft.ML;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Data;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Benchmarks.Rows;

/// <summary>What a run over a file of rows took.</summary>
/// <param name="Seconds">From its start to its end, or to the report of the first step.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process.</param>
internal sealed record RowsResult(double Seconds, double PeakMemoryMiB);

/// <summary>The runs over a file of rows, each in a process of its own.</summary>
internal static class RowsRun
{
    /// <summary>The names of the runs: the file read through and encoded on one thread, nothing kept; and a training of one step.</summary>
    public const string Once = "once", Fit = "fit";

    private const int Context = 256;

    /// <summary>Does a run.</summary>
    /// <param name="run"><see cref="Once"/> or <see cref="Fit"/>.</param>
    /// <param name="file">The rows.</param>
    /// <param name="tokenizerFolder">A folder with a tokenizer; empty for bytes.</param>
    /// <param name="threads">Threads of the training.</param>
    public static RowsResult Run(string run, string file, string tokenizerFolder, int threads)
    {
        MLContext mlContext = new(seed: 1);
        IDataView rows = RowsFile.Open(mlContext, file);
        long start = Stopwatch.GetTimestamp();
        double seconds = run == Once ? ReadOnce(rows, tokenizerFolder, start) : FirstStep(mlContext, rows, tokenizerFolder, threads, start);
        return new RowsResult(seconds, ProcessMemory.PeakMiB());
    }

    private static double ReadOnce(IDataView rows, string tokenizerFolder, long start)
    {
        ILanguageTokenizer tokenizer = tokenizerFolder.Length == 0 ? new ByteLevelTokenizer() : TokenizerFolder.Open(tokenizerFolder).Tokenizer;
        TokenExampleEncoder encoder = new(tokenizer, Context);
        using DataViewRowCursor cursor = rows.GetRowCursor(rows.Schema);
        ValueGetter<ReadOnlyMemory<char>> getter = cursor.GetGetter<ReadOnlyMemory<char>>(rows.Schema["Text"]);
        ReadOnlyMemory<char> text = default;
        for (long position = 0; cursor.MoveNext(); position++)
        {
            getter(ref text);
            encoder.Encode(new TextRow("", text.ToString()), position);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double FirstStep(MLContext mlContext, IDataView rows, string tokenizerFolder, int threads, long start)
    {
        double seconds = 0;
        using CausalLanguageModelTransformer model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new()
        {
            Model = LanguageModel.Gpt2(layers: 1, heads: 1, width: 16, contextLength: Context, tokenizerFolder: tokenizerFolder.Length == 0 ? null : tokenizerFolder),
            MaximumSteps = 1,
            Batching = new() { MaximumTokensPerMicroBatch = 4096, Threads = threads },
            Progress = new FirstReport(() => seconds = Stopwatch.GetElapsedTime(start).TotalSeconds),
        }).Fit(rows);
        return seconds;
    }

    private sealed class FirstReport(Action onReport) : IProgress<StepReport>
    {
        public void Report(StepReport value) => onReport();
    }
}
