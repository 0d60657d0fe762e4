using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MLNetExtension;
using MLNetExtension.Formats.Gguf;
using Samples.Errors;
using Samples.Jobs;
using Samples.Reporting;
using Spectre.Console;

namespace Samples.Commands;

/// <summary><c>export</c>: writes a model in the form that other programs read.</summary>
internal static class ExportCommand
{
    private const string Gguf = "gguf";

    // What writes a model to a file or a folder, by the values of --to.
    private static readonly Dictionary<string, Action<CausalLanguageModelTransformer, string, GgufType>> Formats = new()
    {
        [Gguf] = (model, path, type) => model.SaveAsGguf(path, type),
        ["onnx"] = (model, folder, _) => model.SaveAsOnnx(folder),
        ["huggingface"] = (model, folder, _) => model.SaveAsHuggingFace(folder),
    };

    public static Command Create()
    {
        Option<string> model = OptionFactory.ModelOrFolder();
        Option<string> to = new("--to") { Description = "The form to write: gguf for llama.cpp, onnx for ONNX Runtime, huggingface for Python's libraries.", HelpName = string.Join('|', Formats.Keys), Required = true };
        to.AcceptOnlyFromAmong([.. Formats.Keys]);
        Option<GgufType?> type = OptionFactory.OptionalChoice<GgufType>("--type", "The type of matrices in GGUF. Default: F32.");
        Option<string> output = new("--output") { Description = "The folder to write to; for gguf also a file, whose name ends in .gguf.", HelpName = "PATH", Required = true };
        var command = new Command("export", "Writes a model in the form that other programs read. Low-rank adapters are merged into the weights.") { model, to, type, output };
        command.Validators.Add(result =>
        {
            if (result.GetResult(type) is not null && result.GetResult(to)?.GetValueOrDefault<string>() is { } format && format != Gguf)
                result.AddError($"--type is for --to {Gguf}, and --to is {format}.");
        });
        command.SetReportingAction(parsed =>
        {
            string modelPath = parsed.GetRequiredValue(model), format = parsed.GetRequiredValue(to), path = parsed.GetRequiredValue(output);
            GgufType? asked = parsed.GetValue(type);
            long start = Stopwatch.GetTimestamp();
            using TrainedModel saved = TrainedModel.Open(new DeviceChoice(null).CreateContext(seed: 1), modelPath);
            Dictionary<string, DateTime> before = ListTimes(path);
            Write(saved.LanguageModel, format, path, asked ?? GgufType.F32);
            string[] written = [.. ListTimes(path).Except(before).Select(file => file.Key).Order(StringComparer.Ordinal)];
            ExportedFile[] files = [.. written.Select(file => new ExportedFile(file, new FileInfo(file).Length))];
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

            IAnsiConsole console = ConsoleFactory.Create(parsed);
            foreach (ExportedFile file in files)
                console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file.Path}: {file.Bytes:N0} bytes"));
            return new { Model = modelPath, To = format, Type = format == Gguf ? asked ?? GgufType.F32 : asked, Files = files, Seconds = seconds, Packages = PackageVersions.Read() };
        });
        return command;
    }

    private static void Write(CausalLanguageModelTransformer model, string format, string path, GgufType type)
    {
        try
        {
            model.MergeAdapters();
            Formats[format](model, path, type);
        }
        catch (Exception e) when (e is NotSupportedException or InvalidOperationException && TorchSetup.Explain(e) is null)
        {
            throw new UserErrorException($"--to {format}: {e.Message}");
        }
    }

    // When each file was written. A folder may hold others; and a file's time comes from a clock that lags behind that of the program.
    private static Dictionary<string, DateTime> ListTimes(string path)
    {
        IEnumerable<string> files = File.Exists(path) ? [path] : Directory.Exists(path) ? Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories) : [];
        return files.ToDictionary(file => file, File.GetLastWriteTimeUtc);
    }

    private sealed record ExportedFile(string Path, long Bytes);
}
