using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using Samples.Errors;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>evaluate</c>: measures a saved model on the rows of a file.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        Option<string> model = OptionFactory.Model();
        Option<string> data = OptionFactory.Data("Rows to evaluate on");
        Option<DeviceChoice> device = OptionFactory.Device();
        var command = new Command("evaluate", "Measures a saved model on the rows of a file: loss, perplexity, bits per byte, accuracy.") { model, data, device };
        Func<ParseResult, RowColumns> columns = ColumnOptions.AddTo(command, chats: true);
        command.SetReportingAction(parsed =>
        {
            string modelFile = parsed.GetRequiredValue(model), dataFile = parsed.GetRequiredValue(data);
            RowSet rows = RowFile.Read(dataFile, columns(parsed));
            MLContext mlContext = parsed.GetValue(device).CreateContext(seed: 1);
            using TrainedModel saved = TrainedModel.Load(mlContext, modelFile);
            if (saved.Kind != rows.Kind)
                throw new UserErrorException($"{modelFile} was trained on {Describe(saved.Kind)}, but {dataFile} contains {Describe(rows.Kind)}.");

            long start = Stopwatch.GetTimestamp();
            var metrics = MetricsReport.From(mlContext.CausalLanguageModeling.Evaluate(saved.Transformer.Transform(RowDataView.Create(mlContext, rows.Rows, rows.Kind))));
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

            ResultTables.Write(ConsoleFactory.Create(parsed), "metric", ("value", metrics));
            return new { Model = modelFile, Data = dataFile, Metrics = metrics, Seconds = seconds, Packages = PackageVersions.Read() };
        });
        return command;
    }

    private static string Describe(RowKind kind) => kind switch
    {
        RowKind.Prompts => "prompts with completions",
        RowKind.Chats => "chats",
        _ => "texts without prompts",
    };
}
