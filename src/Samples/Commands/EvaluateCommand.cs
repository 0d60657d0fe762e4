using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using Samples.Errors;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Commands;

/// <summary><c>evaluate</c>: measures a saved model on the rows of a file.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        Option<string> model = OptionFactory.Model();
        Option<string> data = OptionFactory.Data("Rows to evaluate on");
        var columns = new ColumnOptions();
        Option<DeviceChoice> device = OptionFactory.Device();
        Option<string?> json = OptionFactory.JsonFile();
        var command = new Command("evaluate", "Measures a saved model on the rows of a file: loss, perplexity, bits per byte, accuracy.") { model, data, device, json };
        columns.AddTo(command, chats: true);
        command.SetAction(parsed =>
        {
            string modelFile = parsed.GetRequiredValue(model), dataFile = parsed.GetRequiredValue(data);
            RowSet rows = RowFile.Read(dataFile, columns.Read(parsed));
            MLContext mlContext = parsed.GetValue(device).CreateContext(seed: 1);
            using SavedModel saved = SavedModel.Load(mlContext, modelFile);
            if (saved.Kind != rows.Kind)
                throw new UserErrorException($"{modelFile} was trained on {Describe(saved.Kind)}, but {dataFile} contains {Describe(rows.Kind)}.");

            long start = Stopwatch.GetTimestamp();
            var metrics = MetricsReport.From(mlContext.CausalLanguageModeling.Evaluate(saved.Model.Transform(RowDataView.Create(mlContext, rows))));
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

            IAnsiConsole console = ConsoleFactory.Create(parsed);
            ResultTables.Write(console, metrics);
            Json.WriteReport(parsed.GetValue(json), new EvaluateReport(modelFile, dataFile, metrics, seconds, PackageVersions.Read()));
            return ExitCode.Success;
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
